"""A stand-in outpainter: the photo mirrored at its borders, ever more blurred outwards."""

import cv2
import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.known_area import distance_to_known
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .base import Outpainter

# raise when canvases are painted otherwise
_VERSION = 1
# standard deviations of the blurs that are mixed, as shares of the largest
_STEPS = (0.0, 0.125, 0.25, 0.5, 1.0)


@GENERATION_STEPS.register_module()
class ReflectOutpainter(Outpainter):
    """STAND-IN for development, no generative model: the photo mirrored at its borders, ever more blurred outwards.

    It continues colours and textures and invents nothing. Whoever looks closely sees the known area by its sharpness
    and its symmetry, and so may a network: train with decoy seams, and look at the seam probe.

    Args:
        max_blur: Standard deviation of the blur where the canvas is farthest from the photo, as a share of the
            canvas's long side; 0 is plain reflection.

    Raises:
        ValueError: ``max_blur`` is not in [0, 0.2].
    """

    stand_in = True

    def __init__(self, max_blur: float = 0.02) -> None:
        if not 0 <= max_blur <= 0.2:
            raise ValueError(f"max_blur must be in [0, 0.2], got {max_blur}")
        self.max_blur = float(max_blur)

    @property
    def fingerprint(self) -> str:
        settings = {"max_blur": self.max_blur, "version": _VERSION}
        return sha256_json({"type": type(self).__name__, "stand_in": True, **settings})

    def paint(self, canvas: np.ndarray, item: CADItem, rng: np.random.Generator) -> np.ndarray:
        plan = item.canvas
        mirrored = mirrored_canvas(canvas, plan.known)
        distance = distance_to_known(plan)
        largest = self.max_blur * max(plan.width, plan.height)
        if largest == 0 or distance.max() == 0:
            return mirrored
        # where between two of the blurs each pixel lies
        wanted = distance / distance.max() * (len(_STEPS) - 1)
        painted = np.zeros(mirrored.shape, np.float32)
        for i, step in enumerate(_STEPS):
            weight = np.clip(1 - np.abs(wanted - i), 0, None)
            painted += weight[..., None] * _blurred(mirrored, step * largest)
        return np.rint(painted).clip(0, 255).astype(np.uint8)


def mirrored_canvas(canvas: np.ndarray, known: tuple[int, int, int, int]) -> np.ndarray:
    """The canvas with everything outside the known area (x1, y1, x2, y2) mirrored at its borders, again and again."""
    x1, y1, x2, y2 = known
    rows = _mirrored(np.arange(canvas.shape[0]) - y1, y2 - y1) + y1
    columns = _mirrored(np.arange(canvas.shape[1]) - x1, x2 - x1) + x1
    return canvas[rows[:, None], columns]


def _mirrored(index: np.ndarray, length: int) -> np.ndarray:
    """Indices of any size folded into [0, length), the border pixels repeated."""
    index = index % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """float32 Gaussian blur; wide ones are made on a smaller copy, which shows no difference."""
    if sigma == 0:
        return image.astype(np.float32)
    height, width = image.shape[:2]
    factor = max(1, int(sigma // 3))
    small = cv2.resize(
        image.astype(np.float32),
        (max(1, width // factor), max(1, height // factor)),
        interpolation=cv2.INTER_AREA,
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REFLECT)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
