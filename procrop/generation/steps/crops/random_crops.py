"""Windows of the expanded photo that contain the known area."""

from collections.abc import Sequence

import numpy as np

from procrop.generation.canvas_plan import CanvasPlan
from procrop.generation.item import CADItem
from procrop.generation.step import GenerationStep
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

_MODES = ("uniform", "margins")
# raise when windows are drawn otherwise
_VERSION = 1


@GENERATION_STEPS.register_module()
class RandomCrops(GenerationStep):
    """Random windows around the known area, of varied size and ratio: what a model sees, with the known area as label.

    Mode "uniform" draws the scale of a window, the square root of its area, evenly between ``scale[0]`` times that of
    the known area and the canvas's (or ``scale[1]`` times); then the logarithm of its ratio evenly among the ratios
    that leave room for the known area, stay in the canvas and lie in ``ratio``; then its place evenly. Where the known
    area and the canvas allow no ratio in the range, the nearest one that they allow is taken.

    Mode "margins" is what the authors' code does: each border is drawn by itself and evenly so that at least
    ``keep`` of the margin between known area and canvas is seen, which varies size and ratio little.

    Borders are rounded outwards to whole pixels.

    Args:
        number: Windows of an item.
        mode: "uniform" or "margins".
        scale: Least and largest scale of a window over the known area's, for "uniform"; None is the canvas's.
        ratio: Least and largest width / height, for "uniform".
        keep: Least share of each margin that a window keeps, for "margins".

    Raises:
        ValueError: Unknown mode, no window, an empty range.
    """

    makes = ("crops",)
    needs = ("canvas",)

    def __init__(
        self,
        number: int = 8,
        mode: str = "uniform",
        scale: Sequence[float | None] = (1.1, None),
        ratio: Sequence[float] = (0.5, 2.0),
        keep: float = 0.8,
    ) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {_MODES}, not {mode!r}")
        if number < 1:
            raise ValueError(f"number must be at least 1, not {number}")
        if len(scale) != 2 or not 1 <= scale[0] <= (scale[1] if scale[1] is not None else np.inf):
            raise ValueError(f"scale must be (least, largest or None), from 1 on, not {scale}")
        if len(ratio) != 2 or not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f"ratio must be (least, largest) above 0, not {ratio}")
        if not 0 <= keep <= 1:
            raise ValueError(f"keep must be in [0, 1], not {keep}")
        self.number, self.mode, self.keep = int(number), mode, float(keep)
        self.scale, self.ratio = tuple(scale), tuple(float(value) for value in ratio)

    @property
    def fingerprint(self) -> str:
        names = ("number", "mode", "keep") if self.mode == "margins" else ("number", "mode", "scale", "ratio")
        settings = {name: getattr(self, name) for name in names}
        return sha256_json({"type": type(self).__name__, **settings, "version": _VERSION})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add ``crops`` (number, 4) float64 xyxy in whole pixels of the canvas."""
        plan = item.need("canvas", type(self).__name__)
        draw = self._draw_uniform if self.mode == "uniform" else self._draw_margins
        crops = np.array([draw(plan, rng) for _ in range(self.number)], np.float64)
        crops = np.concatenate([np.floor(crops[:, :2] + 1e-9), np.ceil(crops[:, 2:] - 1e-9)], axis=1)
        return item.with_(crops=crops)

    def _draw_uniform(self, plan: CanvasPlan, rng: np.random.Generator) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = plan.known
        width, height = plan.known_size
        known, canvas = (width * height) ** 0.5, (plan.width * plan.height) ** 0.5
        least = min(self.scale[0] * known, canvas)
        most = canvas if self.scale[1] is None else min(self.scale[1] * known, canvas)
        scale = rng.uniform(least, most)
        # ratios with which a window of this area holds the known area and fits into the canvas
        low = max(width / scale, scale / plan.height) ** 2
        high = max(low, min(plan.width / scale, scale / height) ** 2)
        ends = [min(max(limit, low), high) for limit in self.ratio]
        ratio = float(np.exp(rng.uniform(*np.log(ends))))
        wide = min(max(scale * ratio**0.5, width), plan.width)
        tall = min(max(scale / ratio**0.5, height), plan.height)
        left = rng.uniform(max(0.0, x2 - wide), min(x1, plan.width - wide))
        top = rng.uniform(max(0.0, y2 - tall), min(y1, plan.height - tall))
        return left, top, min(left + wide, plan.width), min(top + tall, plan.height)

    def _draw_margins(self, plan: CanvasPlan, rng: np.random.Generator) -> tuple[float, float, float, float]:
        x1, y1, x2, y2 = plan.known
        lost = 1 - self.keep
        left, top = rng.uniform(0, lost * x1), rng.uniform(0, lost * y1)
        right = plan.width - rng.uniform(0, lost * (plan.width - x2))
        bottom = plan.height - rng.uniform(0, lost * (plan.height - y2))
        return left, top, right, bottom
