"""Exact-grid accuracy and correlations, for models that score the annotated crops themselves."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.functional.floors import random_weighted_grid_accuracy
from procrop.evaluation.functional.ranking import check_ties
from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.base import Figures, Protocol
from procrop.evaluation.protocols.hits import check_counts


class GridRanking(Protocol):
    """Exact-grid ACC_{K/N}, weighted ACC, SRCC and PCC of a ranker.

    The formulas are those of ``functional.grid_accuracy``. Reads ``candidate_scores``, one for each annotated crop.
    Keys: ``acc_1/5_ties``, ``mean_acc_5_ties``, ``wacc_1/5``, ``srcc``, ``pcc``. With ties included, as the dataset's
    authors measure, a crop is right if its MOS is at least that of the N-th best; with ``ties="file_order"`` exactly
    N are right, and the keys of ACC lack ``_ties``. The weighted ACC ranks crops of equal MOS by file order. Shares
    are over the photos there are (a published evaluation divides by 200, the size of one test set). Photos whose
    crops all have one MOS have no correlation. Floors of a random ranking carry ``random_``.

    Args:
        ns: The values of N.
        ks: The values of K.
        betas: Price of a rank in the weighted ACC, one for each N.
        ties: ``"include"`` or ``"file_order"``.
        floors: Whether to compute the floors.

    Raises:
        ValueError: If an option is out of range.
    """

    prefix = "grid"
    needs_predictions = False

    def __init__(
        self,
        ns: Sequence[int] = (5, 10),
        ks: Sequence[int] = (1, 2, 3, 4),
        betas: Sequence[float] = (0.2, 0.1),
        ties: str = "include",
        floors: bool = True,
    ) -> None:
        super().__init__(floors)
        check_counts(ns=ns, ks=ks)
        if len(betas) != len(ns):
            raise ValueError(f"betas needs one value for each N: {len(betas)} for {len(ns)}")
        self.ns, self.ks, self.betas, self.ties = tuple(ns), tuple(ks), tuple(betas), check_ties(ties)

    def check(self, record: PhotoRecord) -> None:
        """Refuse the record of a model that scores no candidates."""
        if record.candidate_scores is None:
            raise ValueError(
                f"photo {record.img_id!r} carries no candidate_scores: exact-grid accuracy is defined only for models "
                "that score the annotated crops themselves; use CropTopNAccuracy for predicted crops"
            )

    def score(self, batch: PhotoBatch) -> Figures:
        """Accuracies and correlations."""
        scores, own = batch.candidate_scores, batch.is_crop
        finite = np.isfinite(scores)
        by_score = np.argsort(-np.where(finite, scores, -np.inf), axis=1, kind="stable")
        ranks = np.empty_like(batch.order)
        np.put_along_axis(ranks, batch.order, np.arange(ranks.shape[1])[None, :], axis=1)
        # the rank among the annotations of the crop at each place of the model; a place beyond M holds none
        returned = np.take_along_axis(ranks, by_score, axis=1)
        figures = self._correlations(batch, np.where(finite, scores, _lowest(scores, finite)), own)
        for n, beta in zip(self.ns, self.betas, strict=True):
            right = (returned < batch.top_count(n, self.ties)[:, None]) & own
            accuracy = [right[:, :k].sum(axis=1) / k for k in self.ks]
            weighted = [_weighted(returned[:, :k], own[:, :k], n, k, beta) for k in self.ks]
            figures |= self._named("", n, accuracy, weighted)
        return figures

    def _correlations(self, batch: PhotoBatch, scores: np.ndarray, own: np.ndarray) -> Figures:
        ranks = [_average_ranks(values, own) for values in (scores, batch.mos)]
        return {
            "srcc": _correlation(*ranks, own),
            "pcc": _correlation(scores, np.where(own, batch.mos, 0.0), own),
        }

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected figures of a random ranking of the annotated crops."""
        undefined = (batch.count < 2) | (
            np.where(batch.is_crop, batch.mos, np.inf).min(axis=1) == batch.mos.max(axis=1)
        )
        zero = np.where(undefined, np.nan, 0.0)
        figures = {"random_srcc": zero, "random_pcc": zero}
        for n, beta in zip(self.ns, self.betas, strict=True):
            share = batch.top_count(n, self.ties) / batch.count
            accuracy = [share * np.minimum(k, batch.count) / k for k in self.ks]
            table = {m: random_weighted_grid_accuracy(m, n, self.ks, beta) for m in set(batch.count.tolist())}
            weighted = np.stack([table[m] for m in batch.count.tolist()], axis=1)
            figures |= self._named("random_", n, accuracy, weighted)
        return figures

    def _named(
        self, prefix: str, n: int, accuracy: Sequence[np.ndarray], weighted: Sequence[np.ndarray]
    ) -> Figures:
        end = "_ties" if self.ties == "include" else ""
        figures = {f"{prefix}acc_{k}/{n}{end}": v for k, v in zip(self.ks, accuracy, strict=True)}
        figures[f"{prefix}mean_acc_{n}{end}"] = np.mean(accuracy, axis=0)
        return figures | {f"{prefix}wacc_{k}/{n}": v for k, v in zip(self.ks, weighted, strict=True)}


def _lowest(scores: np.ndarray, finite: np.ndarray) -> np.ndarray:
    """The lowest finite score of each photo (T, 1), 0 where there is none."""
    lowest = np.where(finite, scores, np.inf).min(axis=1, keepdims=True)
    return np.where(np.isinf(lowest), 0.0, lowest)


def _weighted(returned: np.ndarray, own: np.ndarray, n: int, k: int, beta: float) -> np.ndarray:
    """1/K sum_j [r_j < N] exp(-beta (r_j - j)), (T,)."""
    ranks = np.sort(np.where(own, returned, n), axis=1)
    weights = np.exp(-beta * (ranks - np.arange(ranks.shape[1])))
    return np.where(ranks < n, weights, 0.0).sum(axis=1) / k


def _average_ranks(values: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Ranks from 1 in each row, equal values sharing the mean of theirs; columns that are not ``own`` come last."""
    values = np.where(own, values, np.inf)
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    place = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    starts = np.ones(values.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.roll(starts, -1, axis=1)
    ends[:, -1:] = True
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, values.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks


def _correlation(scores: np.ndarray, mos: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Pearson's r (T,) over the ``own`` columns; NaN where ``mos`` is constant, 0 where only ``scores`` is."""
    a, flat_a = _centred(scores, own)
    b, flat_b = _centred(mos, own)
    product, norm = (a * b).sum(axis=1), np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    r = np.clip(product / np.where(norm > 0, norm, 1.0), -1.0, 1.0)
    r = np.where(flat_a, 0.0, r)
    return np.where(flat_b | (own.sum(axis=1) < 2), np.nan, r)


def _centred(values: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows less their mean, scaled to 1 so that squares neither overflow nor vanish; and whether a row is constant."""
    values = np.where(own, values, 0.0)
    highest = np.where(own, values, -np.inf).max(axis=1)
    flat = np.where(own, values, np.inf).min(axis=1) == highest
    centred = np.where(own, values - values.sum(axis=1, keepdims=True) / own.sum(axis=1, keepdims=True), 0.0)
    scale = np.abs(centred).max(axis=1, keepdims=True)
    return centred / np.where(scale > 0, scale, 1.0), flat
