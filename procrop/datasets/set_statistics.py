"""What a dataset of annotated crops is like, in figures."""

from collections import Counter
from typing import Any

import numpy as np

from .records import CropSet
from .set_sizes import box_sizes

#: aspect ratios that have names; a crop counts for the nearest one within 2 %
NAMED_RATIOS = {
    "9:16": 9 / 16,
    "2:3": 2 / 3,
    "3:4": 3 / 4,
    "4:5": 4 / 5,
    "1:1": 1.0,
    "5:4": 5 / 4,
    "4:3": 4 / 3,
    "3:2": 3 / 2,
    "16:9": 16 / 9,
    "21:9": 21 / 9,
}
_NEAR = 0.02
_SIZE_BINS, _PIXEL_BINS, _COVER_BINS, _SCORE_BINS = 20, 24, 24, 32
_MOST_VALUES = 64
_RATIO_EDGES = np.geomspace(0.25, 4, 49)
_CHUNK = 16384


def set_statistics(found: CropSet, sizes: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Count and measure a dataset.

    Args:
        found: The dataset; at least one record.
        sizes: (width, height) of the photos whose size is known, by name.

    Returns:
        JSON values: ``records``, ``photos``, ``sources``, ``crops``, ``crops_per_record``, ``subjects``, ``masks``,
        ``tags`` (tag -> records), ``missing_photos`` (names), ``left_out`` (reason -> count), ``photo_sizes_known``,
        ``photo_shapes``, ``scores`` and ``best_score_per_record`` (None without scores), ``aspect_ratio``, and where
        sizes are known, ``crop_size`` (parts of the photo's) and ``coverage``; ``crop_pixels`` in pixels. A summary
        is a dict of ``n``, ``min``, ``mean``, ``sd``, ``median``, ``max``; ``histogram`` beside it has ``edges`` and
        ``counts``, and that of the scores a coarse one in ``eighths`` of their range.
    """
    records = found.records
    boxes = np.concatenate([record.boxes for record in records])
    behind = box_sizes(found, sizes)
    counts = np.array([len(record.boxes) for record in records])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    return {
        "records": len(records),
        "photos": len({record.photo for record in records}),
        "sources": len({record.source_id for record in records}),
        "crops": len(boxes),
        "crops_per_record": summary(counts) | {"histogram": _histogram(counts, _count_edges(counts))},
        "subjects": sum(record.subject is not None for record in records),
        "masks": sum(record.mask is not None for record in records),
        "tags": dict(sorted(Counter(tag for record in records for tag in record.tags).items())),
        "missing_photos": found.missing_photos(),
        "left_out": {reason: len(places) for reason, places in found.problems.by_reason().items()},
        "photo_sizes_known": len(sizes),
        "photo_shapes": _shapes(sizes),
        **_scores(found),
        "aspect_ratio": _ratios(width / height),
        "crop_pixels": _heat_map(width, height, *2 * [np.linspace(0, _round_up(boxes), _PIXEL_BINS + 1)]),
        **_relative(boxes, behind),
    }


def summary(values: np.ndarray) -> dict[str, float]:
    """``n``, ``min``, ``mean``, ``sd`` (population), ``median`` and ``max`` of at least one number."""
    values = np.asarray(values, np.float64)
    return {
        "n": len(values),
        "min": float(values.min()),
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def _histogram(values: np.ndarray, edges: np.ndarray) -> dict[str, list]:
    """Counts between edges; what lies outside counts in the first or last bin."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _count_edges(counts: np.ndarray) -> np.ndarray:
    """Edges so that each bin holds the same whole number of counts, at most 30 bins."""
    low, high = int(counts.min()), int(counts.max())
    step = -(-(high - low + 1) // 30)
    return np.arange(low, high + step + 1, step) - 0.5


def _shapes(sizes: dict[str, tuple[int, int]]) -> dict[str, int]:
    shapes = Counter("landscape" if w > h else "portrait" if w < h else "square" for w, h in sizes.values())
    return {name: shapes[name] for name in ("landscape", "portrait", "square")}


def _scores(found: CropSet) -> dict[str, Any]:
    scored = [record.scores for record in found.records if record.scores is not None and len(record.scores)]
    if not scored:
        return {"scores": None, "best_score_per_record": None}
    scores = np.concatenate(scored)
    edges = _score_edges(scores)
    best = np.array([own.max() for own in scored])
    return {
        "scores": summary(scores)
        | {"histogram": _histogram(scores, edges), "eighths": _histogram(scores, _even_edges(scores, 8))},
        "best_score_per_record": summary(best) | {"histogram": _histogram(best, edges)},
    }


def _score_edges(scores: np.ndarray) -> np.ndarray:
    """Edges half-way between the steps that most scores stand on, as means over a few annotators do; else even ones.

    Even bins beside such steps (GAICD's are sevenths) would show gaps and peaks that are not there.
    """
    values, counts = np.unique(scores.round(2), return_counts=True)
    common = values[counts >= 0.005 * len(scores)]
    steps = np.diff(common)
    if 2 <= len(common) <= _MOST_VALUES and np.ptp(steps) < 0.35 * steps.mean():
        step = (common[-1] - common[0]) / len(steps)
        first = common[0] - step * (0.5 + max(0, np.ceil((common[0] - values[0]) / step - 0.5)))
        return first + step * np.arange(np.ceil((values[-1] - first) / step) + 1)
    return _even_edges(scores, _SCORE_BINS)


def _even_edges(scores: np.ndarray, bins: int) -> np.ndarray:
    low, high = np.floor(scores.min()), np.ceil(scores.max())
    return np.linspace(low, max(high, low + 1), bins + 1)


def _ratios(ratios: np.ndarray) -> dict[str, Any]:
    named = np.array(list(NAMED_RATIOS.values()))
    distance = np.abs(np.log(ratios[:, None] / named))
    nearest = distance.argmin(axis=1)
    near = distance.min(axis=1) <= np.log1p(_NEAR)
    shares = {name: float((near & (nearest == i)).mean()) for i, name in enumerate(NAMED_RATIOS)}
    return summary(ratios) | {"histogram": _histogram(ratios, _RATIO_EDGES), "named": shares}


def _relative(boxes: np.ndarray, behind: np.ndarray) -> dict[str, Any]:
    """Size and place of the crops as parts of their photos, of those whose photo's size is known."""
    known = ~np.isnan(behind[:, 0])
    if not known.any():
        return {"crop_size": None, "coverage": None}
    units = np.clip(boxes[known] / np.tile(behind[known], 2), 0, 1)
    width, height = (units[:, 2:] - units[:, :2]).T
    edges = np.linspace(0, 1, _SIZE_BINS + 1)
    size = _heat_map(width, height, edges, edges) | {"area": summary(width * height)}
    return {"crop_size": size, "coverage": _coverage(units)}


def _heat_map(
    width: np.ndarray, height: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray
) -> dict[str, Any]:
    """Summaries of both, and ``counts[row][column]``: rows go with the height, columns with the width."""
    counts, _, _ = np.histogram2d(height, width, [y_edges, x_edges])
    return {
        "width": summary(width),
        "height": summary(height),
        "width_edges": x_edges.tolist(),
        "height_edges": y_edges.tolist(),
        "counts": counts.astype(int).tolist(),
    }


def _coverage(units: np.ndarray) -> list[list[float]]:
    """Share of the crops (n, 4) in [0, 1] that cover each cell: rows from the photo's top, columns from its left."""
    edges = np.linspace(0, 1, _COVER_BINS + 1)
    total = np.zeros((_COVER_BINS, _COVER_BINS))
    for start in range(0, len(units), _CHUNK):
        x1, y1, x2, y2 = units[start : start + _CHUNK].T
        total += _parts(y1, y2, edges).T @ _parts(x1, x2, edges)
    return (total / len(units)).tolist()


def _parts(low: np.ndarray, high: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """(n, bins): the part of each bin that lies between low and high."""
    overlap = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
    return np.clip(overlap, 0, None) * _COVER_BINS


def _round_up(boxes: np.ndarray) -> float:
    """The least multiple of 128 pixels that no crop's side exceeds."""
    largest = float((boxes[:, 2:] - boxes[:, :2]).max())
    return 128.0 * max(1, np.ceil(largest / 128))
