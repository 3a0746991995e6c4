"""ACC_{K/N}: how many of the K best predictions equal one of the N best annotated crops."""

import zlib
from collections.abc import Sequence

import numpy as np

from procrop.evaluation.functional.floors import random_rankings
from procrop.evaluation.functional.ranking import check_ties
from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.protocols.base import Figures, Protocol, in_pixels
from procrop.evaluation.protocols.hits import (
    check_counts,
    check_eps,
    is_hit,
    key_end,
    largest_matchings,
)
from procrop.structures.boxes import box_iou


class TopNAccuracy(Protocol):
    """ACC_{K/N} with eps and its average over K (the paper's wording; UNIC's evaluation).

    The formula is :func:`~procrop.evaluation.functional.topn_accuracy`. Keys: ``acc_1/5@0.85`` (share of the top K = 1
    predictions that equal one of the N = 5 best annotated crops) and ``mean_acc_5@0.85`` (mean over the given K).
    ``_ties`` is added when ties are included, ``_1to1`` when matching is one-to-one, and ``@>0.85`` says that the IoU
    must be above eps. All valid annotated crops compete for the top N, not the positive ones only; with fewer than N
    all are in it.

    Floors: ``random_`` of a random ranking of the annotated crops; those of a fixed crop are of a model that gives it
    K times.

    Args:
        eps: Smallest IoU of a hit, one or several.
        ns: The values of N.
        ks: The values of K.
        ties: ``"file_order"`` or ``"include"``, see :func:`~procrop.evaluation.functional.top_crops`.
        one_to_one: Whether an annotated crop serves one prediction only.
        strict: Whether the IoU must be above eps, as in UNIC's training code, instead of eps or more.
        floors: Whether to compute the floors.
        repeats: Random rankings drawn per photo for the floor of one-to-one matching; the other is exact.
        seed: Seed of these draws, joined with the photo's name.

    Raises:
        ValueError: If an option is out of range.
    """

    prefix = "acc"

    def __init__(
        self,
        eps: float | Sequence[float] = 0.85,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        ties: str = "file_order",
        one_to_one: bool = False,
        strict: bool = False,
        floors: bool = True,
        repeats: int = 200,
        seed: int = 0,
    ) -> None:
        super().__init__(floors)
        check_counts(ns=ns, ks=ks)
        if repeats < 1:
            raise ValueError(f"repeats must be 1 or more, got {repeats}")
        self.eps, self.ns, self.ks, self.ties = check_eps(eps), tuple(ns), tuple(ks), check_ties(ties)
        self.one_to_one, self.strict, self.repeats, self.seed = one_to_one, strict, repeats, seed

    def _end(self, eps: float) -> str:
        return key_end(eps, self.ties, self.strict, self.one_to_one)

    def score(self, batch: PhotoBatch) -> Figures:
        """ACC_{K/N} of the predictions."""
        return self._of_predictions(batch, batch.pred[:, : max(self.ks)])

    def fixed_floors(self, batch: PhotoBatch, crop: np.ndarray) -> Figures:
        """ACC_{1/N} of one crop; it is no answer for a larger K, where a model's missing places count as misses."""
        figures = self._of_predictions(batch, in_pixels(batch, crop))
        return {key: values for key, values in figures.items() if key.startswith("acc_1/")}

    def _of_predictions(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        figures: Figures = {}
        for n in self.ns:
            iou = box_iou(boxes, batch.top_crops(n, self.ties))
            for eps in self.eps:
                if self.one_to_one:
                    counts = largest_matchings(self._hits_of_own(batch, iou, n, eps))
                else:
                    counts = np.cumsum(self._any_hit(iou, eps), axis=1)
                figures |= self._named("", n, eps, self._shares(counts))
        return figures

    def _any_hit(self, iou: np.ndarray, eps: float) -> np.ndarray:
        best = iou.max(axis=-1) if iou.shape[1] else np.zeros(iou.shape[:2])
        return is_hit(best, eps, self.strict)

    def _hits_of_own(self, batch: PhotoBatch, iou: np.ndarray, n: int, eps: float) -> np.ndarray:
        """Hits (T, P, C) without the columns that are copies."""
        own = np.arange(iou.shape[-1]) < batch.top_count(n, self.ties)[:, None]
        return is_hit(iou, eps, self.strict) & own[:, None, :]

    def _shares(self, counts: np.ndarray) -> np.ndarray:
        """Hits among the first 1, 2, ... places (..., P) to shares (..., len(ks)); places not filled are misses."""
        counts = np.concatenate([np.zeros((*counts.shape[:-1], 1)), counts], axis=-1)
        filled = counts.shape[-1] - 1
        return np.stack([counts[..., min(k, filled)] / k for k in self.ks], axis=-1)

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Whether each crop equals one of the N best."""
        figures: Figures = {}
        for n in self.ns:
            iou = box_iou(boxes, batch.top_crops(n, self.ties))
            figures |= {f"acc_{n}{self._end(eps)}": self._any_hit(iou, eps).astype(float) for eps in self.eps}
        return figures

    def single_of(self, key: str) -> str:
        """``acc_5@0.85`` for ``acc_1/5@0.85`` and for ``mean_acc_5@0.85``."""
        name, end = key.split("@")
        return f"acc_{name.replace('/', '_').split('_')[-1]}@{end}"

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected ACC_{K/N} of a random ranking of the annotated crops."""
        figures: Figures = {}
        for n in self.ns:
            iou = box_iou(batch.gt, batch.top_crops(n, self.ties))
            for eps in self.eps:
                if self.one_to_one:
                    floor = self._sampled(batch, self._hits_of_own(batch, iou, n, eps))
                else:
                    # each of the K places holds every crop equally often; places beyond M stay empty
                    hits = (self._any_hit(iou, eps) & batch.is_crop).sum(axis=1) / batch.count
                    floor = np.stack([hits * np.minimum(k, batch.count) / k for k in self.ks], axis=1)
                figures |= self._named("random_", n, eps, floor)
        return figures

    def _sampled(self, batch: PhotoBatch, hits: np.ndarray) -> np.ndarray:
        """Mean shares (T, len(ks)) of random rankings; ``hits`` is (T, M, C)."""
        floors = []
        for record, own, count in zip(batch.records, hits, batch.count.tolist(), strict=True):
            seed = (self.seed, zlib.crc32(record.img_id.encode("utf-8", "surrogateescape")))
            rankings = random_rankings(count, max(self.ks), self.repeats, seed)
            floors.append(self._shares(largest_matchings(own[rankings])).mean(axis=0))
        return np.stack(floors)

    def _named(self, prefix: str, n: int, eps: float, accuracy: np.ndarray) -> Figures:
        end = self._end(eps)
        figures = {f"{prefix}acc_{k}/{n}{end}": accuracy[:, i] for i, k in enumerate(self.ks)}
        figures[f"{prefix}mean_acc_{n}{end}"] = accuracy.mean(axis=1)
        return figures
