"""What every outpainter keeps: the pixels of the known area are the photo's, byte for byte."""

from abc import abstractmethod

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.known_area import downscaled_photo, known_slices
from procrop.generation.step import GenerationStep


class Outpainter(GenerationStep):
    """Painter of a canvas around a photo. A subclass says how to `paint`; `run` is the same for all, and final.

    Whatever `paint` answers, the downscaled photo is pasted back last, so the known area of ``image`` equals it byte
    for byte. Only an encoder that loses nothing keeps that on the disk: the writer of the dataset encodes the finished
    canvas once, at one quality, so that known and painted parts share their compression.

    Attributes:
        stand_in: Whether this painter only stands in for a generative one during development; what it paints is no
            photograph, and a dataset made with it says so.
    """

    makes = ("image",)
    stand_in: bool = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__:
            raise TypeError(
                f"{cls.__name__} must not replace run(), which puts the photo back last: override paint()"
            )

    @abstractmethod
    def paint(self, canvas: np.ndarray, item: CADItem, rng: np.random.Generator) -> np.ndarray:
        """Paint the unknown part of a canvas.

        Args:
            canvas: (height, width, 3) uint8 RGB, the downscaled photo in the known area and 0 elsewhere; a copy.
            item: The item, with ``canvas`` (size and known area) and what earlier steps have made; its photo cannot
                be written to.
            rng: The only source of randomness.

        Returns:
            (height, width, 3) uint8 RGB; what it holds in the known area does not matter.
        """

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add ``image``.

        Raises:
            ValueError: The item has no photo or canvas, or `paint` answers with something else than such an image.
        """
        name = type(self).__name__
        photo, plan = item.need("photo", name), item.need("canvas", name)
        known, where = downscaled_photo(photo, plan), known_slices(plan)
        canvas = np.zeros((plan.height, plan.width, 3), np.uint8)
        canvas[where] = known
        shown = photo.view()
        shown.flags.writeable = False
        painted = self.paint(canvas, item.with_(photo=shown), rng)
        shape = (plan.height, plan.width, 3)
        if not isinstance(painted, np.ndarray) or painted.dtype != np.uint8 or painted.shape != shape:
            kind = (
                f"{getattr(painted, 'dtype', type(painted).__name__)} {getattr(painted, 'shape', '')}".strip()
            )
            raise ValueError(f"{name}.paint must answer with a uint8 array of shape {shape}, not {kind}")
        # a copy: a painter that keeps its answer cannot change it afterwards
        image = np.array(painted, order="C")
        image[where] = known
        return item.with_(image=image)
