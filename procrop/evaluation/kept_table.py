"""What `subject_kept` measured, for people and as JSON values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from procrop.evaluation.comparison import Draws
from procrop.evaluation.score_table import aligned
from procrop.evaluation.subject_kept import ALL, KeptFigures


def kept_text(figures: Sequence[KeptFigures], first: str, draws: Draws) -> str:
    """A block for each ratio and part: share of the photos whose part is whole, share of its box kept, the crop's
    share of the photo, and how far ``first`` is ahead of each other cropper in the first of these."""
    ahead = f"{first} ahead [{draws.level:.0%}]"
    blocks = []
    for f in figures:
        photos = f"{len(f.photos)} photos" if f.ratio != ALL else f"{len(f.photos)} questions"
        rows = [["", "whole", "share kept", "area", ahead, "McNemar p"]]
        for name in f.whole:
            cells = [f"{f.whole[name].mean():.3f}", f"{f.share[name].mean():.3f}", _area(f.area[name])]
            rows.append([name, *cells, *_gain(f, first, name, draws)])
        blocks.append(f"{f.ratio}, {f.part}, {photos}\n{aligned(rows)}")
    return "\n\n".join(blocks)


def _area(values: np.ndarray) -> str:
    mean = _mean(values)
    return "" if mean is None else f"{mean:.3f}"


def _gain(figures: KeptFigures, first: str, name: str, draws: Draws) -> tuple[str, str]:
    if name == first:
        return "", ""
    change, p = figures.ahead(first, name, draws)
    interval = f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
    return interval, "" if p is None else f"{p:.2g}"


def kept_json(figures: Sequence[KeptFigures], first: str, draws: Draws) -> list[dict[str, Any]]:
    """The same as JSON values, one for each ratio and part."""
    rows = []
    for f in figures:
        croppers: dict[str, dict[str, Any]] = {}
        for name in f.whole:
            shares = {"whole": float(f.whole[name].mean()), "share": float(f.share[name].mean())}
            croppers[name] = shares | {"area": _mean(f.area[name])}
            if name != first:
                change, p = f.ahead(first, name, draws)
                gain = {"value": change.value, "low": change.low, "high": change.high, "mcnemar_p": p}
                croppers[name]["first_ahead"] = gain
        rows.append({"ratio": f.ratio, "part": f.part, "photos": len(f.photos), "croppers": croppers})
    return rows


def _mean(values: np.ndarray) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmean(values))
