"""Random downscale of a photo and its random place on a larger canvas."""

from collections.abc import Sequence

import numpy as np

from procrop.generation.canvas_plan import CanvasPlan
from procrop.generation.item import CADItem
from procrop.generation.step import DropItem, GenerationStep
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

# raise when plans are drawn otherwise, so that what was painted on older ones is made again
_VERSION = 1
_TRIES = 64


@GENERATION_STEPS.register_module()
class RandomCanvas(GenerationStep):
    """A canvas with both sides between 700 and 1,024 pixels, on which the downscaled photo lies anywhere.

    The paper gives the sides and no more. How much of the canvas is known is read off its predecessor, GenCrop (Hong
    et al. 2024): a share of the area drawn evenly from 0.1 to 0.5, no side above 0.9 of the canvas's, any place with
    equal chance. The photo is never enlarged, and keeps its ratio to half a pixel.

    Args:
        sides: Least and largest side of the canvas in pixels, both inclusive.
        known_share: Least and largest share of the canvas's area that the photo covers. The largest is drawn as far as
            the two shapes and the photo's own size allow; a canvas on which the least cannot be had is drawn again.
        max_extent: Largest share of the canvas's width and of its height that the photo covers, below 1 unless photos
            may reach from edge to edge.
        ratios: Width / height of the canvas, each as likely as the others and each also turned by 90 degrees; the
            sides are the largest draw that fits, rounded to pixels. None draws the two sides independently.

    Raises:
        ValueError: A range is empty, or a ratio cannot be had within ``sides``.
    """

    makes = ("canvas",)

    def __init__(
        self,
        sides: Sequence[int] = (700, 1024),
        known_share: Sequence[float] = (0.1, 0.5),
        max_extent: float = 0.9,
        ratios: Sequence[float] | None = None,
    ) -> None:
        self.sides = tuple(int(side) for side in sides)
        self.known_share = tuple(float(share) for share in known_share)
        self.max_extent = float(max_extent)
        if len(self.sides) != 2 or not 1 <= self.sides[0] <= self.sides[1]:
            raise ValueError(f"sides must be (least, largest) pixels, at least 1, got {sides}")
        if len(self.known_share) != 2 or not 0 < self.known_share[0] <= self.known_share[1] <= 1:
            raise ValueError(f"known_share must be (least, largest) in (0, 1], got {known_share}")
        if not 0 < self.max_extent <= 1:
            raise ValueError(f"max_extent must be in (0, 1], got {max_extent}")
        if self.known_share[0] > self.max_extent**2:
            raise ValueError(
                f"a share of {self.known_share[0]} cannot be had with sides of at most {max_extent} of the canvas's: "
                "lower known_share or raise max_extent"
            )
        self.ratios = None if ratios is None else tuple(sorted({float(r) for r in ratios}))
        limit = self.sides[1] / self.sides[0]
        for ratio in self.ratios or ():
            if not 1 / limit <= ratio <= limit:
                raise ValueError(
                    f"ratio {ratio} cannot be had with sides of {sides}: from {1 / limit:.3f} to {limit:.3f}"
                )
        if self.ratios == ():
            raise ValueError("ratios must hold at least one ratio; leave it out to draw both sides freely")

    @property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "sides": self.sides,
                "known_share": self.known_share,
                "max_extent": self.max_extent,
                "ratios": self.ratios,
                "version": _VERSION,
            }
        )

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add ``canvas``.

        Raises:
            DropItem: The photo is too small, or too long and thin, to cover the least share of any canvas drawn.
        """
        photo = item.need("photo", type(self).__name__)
        height, width = photo.shape[:2]
        for _ in range(_TRIES):
            canvas = self._draw_sides(rng)
            known = self._draw_known(canvas, (width, height), rng)
            if known is not None:
                left, top = (int(rng.integers(0, canvas[i] - known[i] + 1)) for i in (0, 1))
                return item.with_(canvas=CanvasPlan(*canvas, (left, top, left + known[0], top + known[1])))
        raise DropItem(
            f"a photo of {width} x {height} pixels cannot cover {self.known_share[0]:g} of a canvas without being "
            "enlarged or cut"
        )

    def _draw_sides(self, rng: np.random.Generator) -> tuple[int, int]:
        """(width, height) of a canvas in pixels."""
        low, high = self.sides
        if self.ratios is None:
            return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))
        ratio = self.ratios[rng.integers(len(self.ratios))]
        ratio = 1 / ratio if rng.random() < 0.5 else ratio
        stretch = max(ratio, 1 / ratio)
        long_side = rng.integers(int(np.ceil(low * stretch - 1e-9)), high + 1)
        short_side = min(max(round(long_side / stretch), low), high)
        return (int(long_side), short_side) if ratio >= 1 else (short_side, int(long_side))

    def _draw_known(
        self, canvas: tuple[int, int], photo: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int] | None:
        """(width, height) of the photo on the canvas, or None where the least share cannot be had."""
        area, photo_area = canvas[0] * canvas[1], photo[0] * photo[1]
        scale = min(1.0, *(self.max_extent * canvas[i] / photo[i] for i in (0, 1)))
        reachable = scale**2 * photo_area / area
        least, most = self.known_share
        if reachable < least:
            return None
        share = rng.uniform(least, min(most, reachable))
        scale = min(scale, (share * area / photo_area) ** 0.5)
        return tuple(min(max(1, round(scale * photo[i])), photo[i], canvas[i]) for i in (0, 1))
