"""How well and how fast a student searches in its teacher's place."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..backbones.base import RetrievalBackbone
from .relation import similarity

_ROWS = 256


@dataclass(frozen=True)
class Held:
    """The held-out queries and the gallery that they search.

    Attributes:
        teacher: (Q, d) float32 teacher keys of the queries.
        sources: (Q,) int64 their sources.
        gallery_keys: (N, d) float32 teacher keys of the whole gallery.
        gallery_sources: (N,) int64 their sources.
        metric: How keys are compared.
    """

    teacher: np.ndarray
    sources: np.ndarray
    gallery_keys: np.ndarray
    gallery_sources: np.ndarray
    metric: str

    def recall(self, student: np.ndarray, k: int) -> float:
        """Share of the teacher's k nearest gallery photos among the student's k nearest, mean over queries.

        Photos of the query's own source are no neighbours of it, the query itself included. Where fewer than k are
        left, all of them count, so a tiny gallery flatters.

        Args:
            student: (Q, d) keys that the student gives the queries.
            k: Neighbours.
        """
        wanted, found = self._nearest(self.teacher, k), self._nearest(student, k)
        return float(
            np.mean([len(set(a) & set(b)) / max(len(a), 1) for a, b in zip(wanted, found, strict=True)])
        )

    def random_recall(self, k: int) -> float:
        """The recall of k gallery photos drawn at random, in expectation."""
        free = (self.sources[:, None] != self.gallery_sources).sum(axis=1)
        return float(np.mean(np.minimum(k, free) / np.maximum(free, 1)))

    def _nearest(self, queries: np.ndarray, k: int) -> list[np.ndarray]:
        """Rows of each query's k nearest, ties by row."""
        keys = torch.from_numpy(self.gallery_keys)
        nearest = []
        for start in range(0, len(queries), _ROWS):
            part = torch.from_numpy(np.ascontiguousarray(queries[start : start + _ROWS], np.float32))
            scores = similarity(part, keys, self.metric).numpy().astype(np.float64)
            own = self.sources[start : start + _ROWS, None] == self.gallery_sources
            scores[own] = -np.inf
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            nearest += [row[: int((~barred).sum())] for row, barred in zip(order, own, strict=True)]
        return nearest


@dataclass(frozen=True)
class Speed:
    """Photos per second, photo by photo, resizing included.

    Attributes:
        teacher: Median of the teacher.
        student: Median of the student.
        ratio: Median of student / teacher over the pairs.
        photos: Number of pairs.
    """

    teacher: float
    student: float
    ratio: float
    photos: int


def measure_speed(
    teacher: RetrievalBackbone, student: RetrievalBackbone, photos: Sequence[np.ndarray]
) -> Speed:
    """Encode each photo with both, one directly after the other, in alternating order; one unmeasured run before."""
    seconds: dict[int, list[float]] = {0: [], 1: []}
    both = (teacher, student)
    for encoder in both:
        encoder.encode(photos[:1])
    for i, photo in enumerate(photos):
        for side in (0, 1) if i % 2 == 0 else (1, 0):
            start = time.perf_counter()
            both[side].encode([photo])
            seconds[side].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(seconds[0], seconds[1], strict=True)]
    slow, fast = (1 / statistics.median(seconds[side]) for side in (0, 1))
    return Speed(slow, fast, statistics.median(ratios), len(photos))
