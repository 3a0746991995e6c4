"""Predictions of all photos in one ranking, and the average precision of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass
class Detections:
    """Predictions of the photos of one batch.

    Attributes:
        photos: Number of photos T.
        row: (D,) int64 which photo of the batch each belongs to.
        place: (D,) int64 its rank within its photo, from 0.
        score: (D,) float64.
        right: (E, D) bool whether it found a crop, for each of E thresholds.
    """

    photos: int
    row: np.ndarray
    place: np.ndarray
    score: np.ndarray
    right: np.ndarray


@dataclass
class PooledDetections:
    """The predictions of T photos, ranked together; AP is a figure of the whole set, not a mean over photos.

    Attributes:
        scores: Names of the F figures: for each threshold, one for each of ``max_dets``.
        photo: (D,) int64 which photo each detection belongs to, best score first.
        place: (D,) int64 its rank within its photo, from 0.
        right: (E, D) bool whether it found a crop.
        targets: (T,) int64 crops to be found in each photo.
        max_dets: Detections per photo that count.
        floors: Figures of the floors by key.
    """

    scores: tuple[str, ...]
    photo: np.ndarray
    place: np.ndarray
    right: np.ndarray
    targets: np.ndarray
    max_dets: tuple[int, ...]
    floors: dict[str, float] = field(default_factory=dict)

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


def pool_detections(
    parts: Sequence[Detections],
    rows: np.ndarray,
    targets: np.ndarray,
    scores: tuple[str, ...],
    max_dets: tuple[int, ...],
) -> PooledDetections:
    """Rank the detections of several batches together; equal scores keep the order of the photos.

    Args:
        parts: The batches.
        rows: Which of the T photos each photo of the batches is.
        targets: (T,) crops to be found.
        scores: Names of the figures.
        max_dets: Detections per photo that count.
    """
    starts = np.cumsum([0, *(part.photos for part in parts)])
    photo = [rows[start + part.row] for start, part in zip(starts, parts, strict=False)]
    order = np.argsort(-np.concatenate([np.zeros(0), *(part.score for part in parts)]), kind="stable")
    place = np.concatenate([np.zeros(0, dtype=np.int64), *(part.place for part in parts)])
    thresholds = len(scores) // len(max_dets)
    right = np.concatenate([np.zeros((thresholds, 0), dtype=bool), *(part.right for part in parts)], axis=1)
    photo = np.concatenate([np.zeros(0, dtype=np.int64), *photo])
    return PooledDetections(scores, photo[order], place[order], right[:, order], targets, max_dets)
