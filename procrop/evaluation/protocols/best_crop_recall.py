"""Recall of the single best annotated crop in the top N predictions: what Jia et al. (2022) report as ACC_{1/N}."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.functional.ranking import check_ties
from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.protocols.base import Figures, Protocol, in_pixels
from procrop.evaluation.protocols.hits import check_counts, check_eps, is_hit, key_end
from procrop.structures.boxes import box_iou

#: the thresholds that Jia et al.'s evaluation goes through
JIA_EPS = tuple(round(0.85 + 0.01 * step, 2) for step in range(11))


class BestCropRecall(Protocol):
    """Does one of the top N predictions equal the single best annotated crop?

    The formula is :func:`~procrop.evaluation.functional.best_crop_recall`. Keys: ``best_crop_recall_5@0.85``, with
    ``_ties`` and ``@>`` as for ACC_{K/N}, and with several eps their mean ``best_crop_recall_5@avg``.

    Args:
        eps: Smallest IoU of a hit, one or several; ``JIA_EPS`` are those of Jia et al.
        ns: The values of N.
        ties: ``"file_order"``: the first line among the crops of the highest score is the best one; ``"include"``: any
            of them will do.
        strict: Whether the IoU must be above eps.
        floors: Whether to compute the floors.

    Raises:
        ValueError: If an option is out of range.
    """

    prefix = "acc"

    def __init__(
        self,
        eps: float | Sequence[float] = 0.85,
        ns: Sequence[int] = (5, 10),
        ties: str = "file_order",
        strict: bool = False,
        floors: bool = True,
    ) -> None:
        super().__init__(floors)
        check_counts(ns=ns)
        self.eps, self.ns, self.ties, self.strict = check_eps(eps), tuple(ns), check_ties(ties), strict

    def _best_iou(self, batch: PhotoBatch, boxes: np.ndarray) -> np.ndarray:
        """IoU (T, C) of boxes (T, C, 4) with the best crop, or the nearest of those that share the highest score."""
        iou = box_iou(boxes, batch.top_crops(1, self.ties))
        return iou.max(axis=-1)

    def _by_end(self, values: Sequence[np.ndarray]) -> Figures:
        """One array for each eps, by the end of its key; with several, their mean too."""
        named = {key_end(eps, self.ties, self.strict): v for eps, v in zip(self.eps, values, strict=True)}
        if len(self.eps) > 1:
            named[key_end("avg", self.ties, self.strict)] = np.mean(values, axis=0)
        return named

    def score(self, batch: PhotoBatch) -> Figures:
        """Recall in the top N predictions."""
        return self._of_predictions(batch, batch.pred[:, : max(self.ns)])

    def fixed_floors(self, batch: PhotoBatch, crop: np.ndarray) -> Figures:
        """Recall of a model that always gives one crop."""
        return self._of_predictions(batch, in_pixels(batch, crop))

    def _of_predictions(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        iou = self._best_iou(batch, boxes)
        hits = [is_hit(iou, eps, self.strict) for eps in self.eps]
        return self._named("", [[hit[:, :n].any(axis=1).astype(np.float64) for hit in hits] for n in self.ns])

    def _named(self, prefix: str, recalls: Sequence[Sequence[np.ndarray]]) -> Figures:
        """``recalls``: for each N an array (T,) for each eps."""
        return {
            f"{prefix}best_crop_recall_{n}{end}": value
            for n, row in zip(self.ns, recalls, strict=True)
            for end, value in self._by_end(row).items()
        }

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """Whether each crop equals the best one."""
        iou = self._best_iou(batch, boxes)
        hits = [is_hit(iou, eps, self.strict).astype(np.float64) for eps in self.eps]
        return {f"best_crop{end}": hit for end, hit in self._by_end(hits).items()}

    def single_of(self, key: str) -> str:
        """``best_crop@0.85`` for ``best_crop_recall_5@0.85``."""
        return f"best_crop@{key.split('@')[1]}"

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected recall of a random ranking: with h of M crops close enough, 1 - C(M - h, N) / C(M, N)."""
        iou = self._best_iou(batch, batch.gt)
        close = [(is_hit(iou, eps, self.strict) & batch.is_crop).sum(axis=1) for eps in self.eps]
        return self._named("random_", [[_drawn(batch.count, h, n) for h in close] for n in self.ns])


def _drawn(m: np.ndarray, h: np.ndarray, n: int) -> np.ndarray:
    """P(one of h special items is among n of m drawn without replacement), elementwise."""
    missed = np.ones(len(m))
    for i in range(n):
        left = m - i
        missed = np.where(left > 0, missed * np.maximum(left - h, 0) / np.maximum(left, 1), missed)
    return 1.0 - missed
