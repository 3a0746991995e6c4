"""The best constant answer: the one crop, relative to the photo, that scores best over a training set.

A model that beats the full photo may still have learnt no more than where crops usually lie. This floor is what that
knowledge alone is worth: it is fitted on a training set, one crop for each figure, and measured on the test set.

The file is JSON: ``version``, ``dataset``, ``photos`` (how many it was fitted on) and ``crops``: "protocol/figure" ->
``crop`` [x1, y1, x2, y2] as shares of the photo's width and height, and ``figure``, what it reaches on that set.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from procrop.evaluation.photo_batch import PhotoBatch, batches
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import Protocol, in_pixels
from procrop.io.atomic import write_json

VERSION = 1
# the search: a lattice of this many steps and each photo's best crop, on an even spread of so many photos, ...
_LATTICE = 12
_SPREAD = 400
# ... the best of it as starts, each moved by smaller and smaller steps, and the best of these on all photos
_STARTS = 6
_FINALISTS = 2
_COARSE_STEPS = (1 / 24, 1 / 48, 1 / 96, 1 / 192, 1 / 384)
_FINE_STEPS = (1 / 96, 1 / 192, 1 / 384, 1 / 768, 1 / 1536)
_NARROWEST = 1 / 24
# box pairs compared at once
_PAIRS = 400_000


def fit_constant_crops(
    protocols: Sequence[Protocol], records: Sequence[PhotoRecord]
) -> dict[str, dict[str, Any]]:
    """Find, for each figure that a single crop can have, the crop that scores best.

    A lattice over all crops and the photos' own best crops are tried first, then the best ones are moved edge by edge
    in shrinking steps. The search is deterministic; that it misses a better crop is possible, though unlikely.

    Args:
        protocols: What to fit for.
        records: Photos of a training set; their predictions are not read.

    Returns:
        "protocol/figure" -> ``{"crop": [x1, y1, x2, y2], "figure": its mean}``.

    Raises:
        ValueError: If no photo has a valid annotated crop.
    """
    kept = [record for record in records if len(record.gt)]
    if not kept:
        raise ValueError("a constant crop needs a training set with at least one valid annotated crop")
    spread = kept[:: math.ceil(len(kept) / _SPREAD)]
    coarse = list(batches(spread))
    full = coarse if len(spread) == len(kept) else list(batches(kept))
    found = {}
    tried = np.concatenate([_lattice(), *(_best_crops(part) for part in coarse)])
    for protocol in protocols:
        for name, scores in _mean_figures(protocol, coarse, tried).items():
            sign = -1.0 if name.startswith("disp") else 1.0
            best = np.argsort(-sign * scores, kind="stable")[:_STARTS]
            moved = [_climb(protocol, coarse, name, sign, tried[i], _COARSE_STEPS) for i in best]
            moved.sort(key=lambda pair: -pair[1])
            final = [_climb(protocol, full, name, sign, crop, _FINE_STEPS) for crop, _ in moved[:_FINALISTS]]
            crop, score = max(final, key=lambda pair: pair[1])
            found[f"{protocol.prefix}/{name}"] = {"crop": crop.tolist(), "figure": sign * score}
    return found


def _lattice() -> np.ndarray:
    spans = list(combinations(range(_LATTICE + 1), 2))
    return np.array([(x1, y1, x2, y2) for (x1, x2), (y1, y2) in product(spans, spans)]) / _LATTICE


def _best_crops(part: PhotoBatch) -> np.ndarray:
    """The best annotated crop of each photo as shares of its sides, (at most T, 4)."""
    crops = part.top_crops(1, "file_order")[:, 0] / np.tile(part.size, 2)
    return _wide(np.clip(crops, 0.0, 1.0))


def _wide(crops: np.ndarray) -> np.ndarray:
    return crops[(crops[:, 2:] - crops[:, :2] >= _NARROWEST).all(axis=1)]


def _mean_figures(
    protocol: Protocol, parts: Sequence[PhotoBatch], crops: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean figures (C,) of each of the crops (C, 4) over all photos where they are defined."""
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    for part in parts:
        step = max(1, _PAIRS // (len(part) * part.gt.shape[1]))
        for start in range(0, len(crops), step):
            chunk = slice(start, start + step)
            for name, values in protocol.single(part, in_pixels(part, crops[chunk])).items():
                defined = ~np.isnan(values)
                sums.setdefault(name, np.zeros(len(crops)))[chunk] += np.where(defined, values, 0.0).sum(
                    axis=0
                )
                counts.setdefault(name, np.zeros(len(crops)))[chunk] += defined.sum(axis=0)
    return {name: total / np.maximum(counts[name], 1) for name, total in sums.items()}


def _climb(
    protocol: Protocol,
    parts: Sequence[PhotoBatch],
    name: str,
    sign: float,
    crop: np.ndarray,
    steps: Sequence[float],
) -> tuple[np.ndarray, float]:
    """Move the edges of a crop to the best of their neighbours until none is better, step by smaller step."""
    moves = np.array(list(product((0, -1, 1), repeat=4)), dtype=np.float64)  # the first one stays
    score = -np.inf
    for step in steps:
        while True:
            near = _wide(np.clip(crop + step * moves, 0.0, 1.0))
            scores = sign * _mean_figures(protocol, parts, near)[name]
            best = int(scores.argmax())
            if scores[best] <= score:
                break
            crop, score = near[best], float(scores[best])
    return crop, score


def save_constant_crops(path: str | os.PathLike, crops: Mapping[str, Any], dataset: str, photos: int) -> None:
    """Write what :func:`fit_constant_crops` found, and on what: the dataset's name and its number of photos."""
    write_json(path, {"version": VERSION, "dataset": dataset, "photos": photos, "crops": dict(crops)})


def use_constant_crops(protocols: Sequence[Protocol], source: str | os.PathLike | Mapping[str, Any]) -> None:
    """Give protocols the constant crops that were fitted for them; one without any goes without this floor.

    Args:
        protocols: Their ``constant_crops`` are replaced.
        source: A file, or what :func:`fit_constant_crops` returns.

    Raises:
        ValueError: If the file cannot be read or is of another kind.
    """
    crops = source if isinstance(source, Mapping) else _read(source)
    for protocol in protocols:
        start = f"{protocol.prefix}/"
        protocol.constant_crops = {
            key.removeprefix(start): entry["crop"] for key, entry in crops.items() if key.startswith(start)
        }


def _read(path: str | os.PathLike) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        crops = {key: {"crop": _crop(entry["crop"])} for key, entry in content["crops"].items()}
        version = content["version"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{os.fspath(path)}: no file of constant crops ({error!r}); tools/evaluate.py --save-constant writes one"
        ) from error
    if version != VERSION:
        raise ValueError(
            f"{os.fspath(path)}: version {version!r} of constant crops, known is {VERSION}; fit it again"
        )
    return crops


def _crop(values: Sequence[float]) -> list[float]:
    x1, y1, x2, y2 = (float(value) for value in values)
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ValueError(f"{values} is no crop within a photo of width 1 and height 1")
    return [x1, y1, x2, y2]
