"""Drops outpainted photos whose known area is framed by a visible seam."""

from collections.abc import Mapping

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.seam_figures import seam_figures
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .base import QualityCheck

# raise when figures are measured otherwise
_VERSION = 1


@GENERATION_STEPS.register_module()
class SeamFilter(QualityCheck):
    """A seam is a border that stands out from lines parallel to it; see `seam_figures` for the two figures.

    Figures: ``seam_gradient`` and ``seam_colour``, 1 where the border is as strong as the strongest tenth of the lines
    beside it.

    Args:
        max_gradient: Largest ``seam_gradient`` that passes.
        max_colour: Largest ``seam_colour`` that passes.
        reach: Pixels on either side of the border in which the lines lie.

    Raises:
        ValueError: A limit is not above 0, or ``reach`` is below 8.
    """

    name = "seam"

    def __init__(self, max_gradient: float = 2.0, max_colour: float = 3.5, reach: int = 48) -> None:
        if not (max_gradient > 0 and max_colour > 0):
            raise ValueError(f"max_gradient and max_colour must be above 0, got {max_gradient}, {max_colour}")
        if reach < 8:
            raise ValueError(f"reach must be at least 8 pixels, got {reach}")
        self.max_gradient, self.max_colour = float(max_gradient), float(max_colour)
        self.reach = int(reach)

    @property
    def fingerprint(self) -> str:
        limits = [self.max_gradient, self.max_colour]
        return sha256_json(
            {"type": type(self).__name__, "limits": limits, "reach": self.reach, "version": _VERSION}
        )

    def measure(self, item: CADItem, rng: np.random.Generator) -> dict[str, float]:
        image, plan = item.need("image", type(self).__name__), item.need("canvas", type(self).__name__)
        found = seam_figures(image, plan.known, self.reach)
        return {f"seam_{name}": value for name, value in found.items()}

    def fault(self, figures: Mapping[str, float]) -> str | None:
        for name, what, limit in (
            ("seam_gradient", "edge", self.max_gradient),
            ("seam_colour", "step in colour", self.max_colour),
        ):
            if figures[name] > limit:
                return (
                    f"the {what} at the photo's border is {figures[name]:.2f} times that of lines beside it, "
                    f"more than {limit:g}"
                )
        return None
