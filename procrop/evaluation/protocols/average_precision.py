"""Average precision of scored crops over a whole test set, as Jia et al. (2022) compute it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from procrop.evaluation.photo_batch import PhotoBatch, batches
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import FIXED_CROPS, Figures, Protocol, in_pixels
from procrop.evaluation.protocols.hits import check_counts, check_eps, key_end
from procrop.evaluation.protocols.targets import GROUND_TRUTHS, prefix_of, target_crops
from procrop.structures.boxes import box_iou

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass
class PooledDetections:
    """The predictions of all photos in one ranking; AP is a figure of the whole set, not a mean over photos.

    Attributes:
        scores: Names of the F figures.
        photo: (D,) int64 which photo each detection belongs to, best score first.
        place: (D,) int64 its rank within its photo, from 0.
        right: (len(eps), D) bool whether it found a crop.
        targets: (T,) int64 crops to be found in each photo.
        max_dets: Detections per photo that count, one figure for each of them and each eps.
        floors: Figures of the floors by key.
    """

    scores: tuple[str, ...]
    photo: np.ndarray
    place: np.ndarray
    right: np.ndarray
    targets: np.ndarray
    max_dets: tuple[int, ...]
    floors: dict[str, float]

    @property
    def scored(self) -> np.ndarray:
        """(T,) bool, which photos have a crop to be found."""
        return self.targets > 0

    def means(self) -> dict[str, float]:
        """AP of the set by key, and the floors; empty when there is no crop to be found."""
        if not self.targets.sum():
            return {}
        values = self.resampled(np.ones((1, len(self.targets))))[0]
        return dict(zip(self.scores, values.tolist(), strict=True)) | self.floors

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """AP (B, F) of draws of the photos, in which a photo drawn twice is there twice."""
        total = counts @ self.targets
        figures = []
        for right in self.right:
            for max_dets in self.max_dets:
                kept = self.place < max_dets
                photo, hit = self.photo[kept], np.flatnonzero(right[kept])
                figures.append([_precision(row[photo], hit, n) for row, n in zip(counts, total, strict=True)])
        return np.array(figures, dtype=np.float64).reshape(-1, len(counts)).T


def _precision(weight: np.ndarray, hit: np.ndarray, total: float) -> float:
    """Mean over 101 recalls of the best precision at that recall or beyond.

    Args:
        weight: (D,) how often each detection counts, best score first.
        hit: Which of them found a crop: it is only there that precision has its peaks.
        total: Crops to be found.
    """
    if not total:
        return np.nan
    found, shown = np.cumsum(weight[hit]), np.cumsum(weight)[hit]
    best = np.maximum.accumulate((found / np.maximum(shown, 1.0))[::-1])[::-1]
    at = np.searchsorted(found / total, _RECALLS, side="left")
    return float(np.append(best, 0.0)[at].mean())


class AveragePrecision(Protocol):
    """AP of the top predictions of all photos, ranked together by score.

    In each photo, predictions take crops greedily, best score first: a prediction takes, of the ground truth crops that
    are left and overlap it by eps or more, the *last* in file order (not the nearest). Precision is interpolated at 101
    recalls. Keys: ``ap_10@0.85`` counts the 10 best predictions of a photo.

    Floors: ``random_`` is the mean over ``repeats`` seeded random rankings of all annotated crops; a fixed crop is
    shown once per photo, ranked by the order of the photos.

    Args:
        eps: Smallest IoU of a hit, one or several.
        max_dets: Predictions per photo that count.
        ground_truth: ``"positives"`` (as published), ``"all"`` or ``"best"``.
        floors: Whether to compute the floors.
        repeats: Random rankings drawn for the floor.
        seed: Seed of these draws.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        eps: float | Sequence[float] = (0.85, 0.9),
        max_dets: Sequence[int] = (5, 10, 20, 40, 60, 90),
        ground_truth: str = "positives",
        floors: bool = True,
        repeats: int = 10,
        seed: int = 0,
    ) -> None:
        super().__init__(floors)
        check_counts(max_dets=max_dets)
        if ground_truth not in GROUND_TRUTHS:
            raise ValueError(f"ground_truth must be one of {GROUND_TRUTHS}, got {ground_truth!r}")
        if repeats < 1:
            raise ValueError(f"repeats must be 1 or more, got {repeats}")
        self.eps, self.max_dets, self.ground_truth = check_eps(eps), tuple(max_dets), ground_truth
        self.repeats, self.seed, self.prefix = repeats, seed, prefix_of("ap", ground_truth, "positives")

    def score(self, batch: PhotoBatch) -> Figures:
        """No figure belongs to one photo."""
        return {}

    def measure(self, records: Sequence[PhotoRecord]) -> PooledDetections:
        """Match the predictions of each photo, and pool them."""
        rows = np.array([i for i, record in enumerate(records) if len(record.gt)], dtype=np.int64)
        parts = list(batches([records[i] for i in rows]))
        shown = [(part.pred, part.pred_count, part.pred_scores) for part in parts]
        hits = [self._hits(part, boxes) for part, (boxes, _, _) in zip(parts, shown, strict=True)]
        targets = np.zeros(len(records), dtype=np.int64)
        for photos, part in zip(_rows_of(rows, parts), parts, strict=True):
            targets[photos] = self._targets(part)[1].sum(axis=1)
        pool = _pool(rows, hits, [(count, scores) for _, count, scores in shown])
        found = PooledDetections(self._keys(), *pool, targets, self.max_dets, {})
        if self.floors:
            found.floors = self._random_floors(parts) | self._fixed_floors(parts)
        return found

    def _keys(self) -> tuple[str, ...]:
        return tuple(f"ap_{n}{key_end(eps, 'file_order')}" for eps in self.eps for n in self.max_dets)

    def _targets(self, batch: PhotoBatch) -> tuple[np.ndarray, np.ndarray]:
        """Ground truth (T, G, 4), and which columns are no copies (T, G)."""
        boxes, defined = target_crops(batch, self.ground_truth)
        counts = {"all": batch.count, "best": np.ones(len(batch), np.int64)}.get(self.ground_truth)
        counts = batch.positives.sum(axis=1) if counts is None else counts
        return boxes, (np.arange(boxes.shape[1]) < counts[:, None]) & defined[:, None]

    def _hits(self, batch: PhotoBatch, boxes: np.ndarray) -> np.ndarray:
        """Which boxes (T, P, 4) equal which ground truth: (len(eps), T, P, G) bool."""
        targets, own = self._targets(batch)
        iou = box_iou(boxes, targets)
        return np.stack([(iou >= eps) & own[:, None, :] for eps in self.eps])

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Whether each crop equals any ground truth."""
        hits = self._hits(batch, boxes).any(axis=-1).astype(np.float64)
        return {f"hit{key_end(eps, 'file_order')}": hit for eps, hit in zip(self.eps, hits, strict=True)}

    def single_of(self, key: str) -> str:
        """``hit@0.85`` for ``ap_10@0.85``."""
        return f"hit@{key.split('@')[1]}"

    def _floor(
        self, parts: Sequence[PhotoBatch], hits: Sequence[np.ndarray], shown: Sequence[tuple]
    ) -> dict[str, float]:
        rows = np.arange(sum(map(len, parts)))
        targets = np.concatenate([self._targets(part)[1].sum(axis=1) for part in parts])
        return PooledDetections(self._keys(), *_pool(rows, hits, shown), targets, self.max_dets, {}).means()

    def _random_floors(self, parts: Sequence[PhotoBatch]) -> dict[str, float]:
        rng = np.random.default_rng(self.seed)
        hits = [self._hits(part, part.gt) for part in parts]
        draws = []
        for _ in range(self.repeats):
            shuffled, shown = [], []
            for part, hit in zip(parts, hits, strict=True):
                scores = np.where(part.is_crop, rng.random(part.is_crop.shape), -np.inf)
                order = np.argsort(-scores, axis=1)
                shuffled.append(np.take_along_axis(hit, order[None, :, :, None], axis=2))
                shown.append((part.count, np.take_along_axis(scores, order, axis=1)))
            draws.append(self._floor(parts, shuffled, shown))
        return (
            {f"random_{key}": float(np.mean([draw[key] for draw in draws])) for key in draws[0]}
            if parts
            else {}
        )

    def _fixed_floors(self, parts: Sequence[PhotoBatch]) -> dict[str, float]:
        crops = [(prefix, None, crop) for prefix, crop in FIXED_CROPS.items()]
        crops += [("constant_crop_", name, np.asarray(crop)) for name, crop in self.constant_crops.items()]
        floors = {}
        for prefix, name, crop in crops:
            hits = [self._hits(part, in_pixels(part, crop)) for part in parts]
            shown = [(np.ones(len(part), np.int64), np.ones((len(part), 1))) for part in parts]
            found = self._floor(parts, hits, shown) if parts else {}
            floors |= {prefix + key: v for key, v in found.items() if name in (None, self.single_of(key))}
        return floors


def _rows_of(rows: np.ndarray, parts: Sequence[PhotoBatch]) -> list[np.ndarray]:
    """The rows of each part."""
    return np.split(rows, np.cumsum([len(part) for part in parts])[:-1]) if parts else []


def _pool(
    rows: np.ndarray, hits: Sequence[np.ndarray], shown: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rank the detections of all photos together.

    Args:
        rows: Number of each photo.
        hits: For each part of the photos (E, T, P, G) bool, predictions best first.
        shown: For each part the number of predictions (T,) and their scores (T, P).

    Returns:
        ``photo`` (D,), ``place`` (D,) and ``right`` (E, D) of :class:`PooledDetections`.
    """
    photos, places, scores, rights, start = [], [], [], [], 0
    for hit, (count, score) in zip(hits, shown, strict=True):
        row, place = np.nonzero(np.arange(score.shape[1]) < count[:, None])
        photos.append(rows[start + row])
        places.append(place)
        scores.append(score[row, place])
        rights.append(last_one_wins(hit)[:, row, place])
        start += len(count)
    if not photos:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), bool)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return (
        np.concatenate(photos)[order],
        np.concatenate(places)[order],
        np.concatenate(rights, axis=1)[:, order],
    )


def last_one_wins(hits: np.ndarray) -> np.ndarray:
    """Match greedily: each prediction takes the last crop that it hits and that is left.

    Args:
        hits: (..., P, G) bool, predictions best first.

    Returns:
        (..., P) bool: whether the prediction got a crop.
    """
    *outer, count, width = hits.shape
    flipped = np.ascontiguousarray(hits[..., ::-1]).reshape(prod(outer), count, width)
    right = np.zeros((len(flipped), count), dtype=bool)
    if width == 0:
        return right.reshape(*outer, count)
    left = np.ones((len(flipped), width), dtype=bool)
    lines = np.arange(len(flipped))
    for place in range(count):
        wanted = flipped[:, place] & left
        first = wanted.argmax(axis=1)
        right[:, place] = wanted[lines, first]
        left[lines, first] &= ~right[:, place]
    return right.reshape(*outer, count)
