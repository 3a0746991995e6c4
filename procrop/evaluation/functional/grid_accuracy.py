"""Accuracy and correlation of rankers: models that give a score to every annotated crop (Zeng et al. 2019, 2020).

Not defined for a model that only proposes crops of its own, and not comparable with the accuracy by IoU >= eps.
Everywhere, ``scores`` (M,) are a model's scores of the M valid annotated crops in file order, and ``mos`` (M,) theirs.
A score that is not finite ranks last.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from procrop.evaluation.functional.ranking import rank_order, top_crops
from procrop.evaluation.functional.topn_accuracy import hit_shares


def _pair(scores: ArrayLike, mos: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    scores, mos = np.asarray(scores, dtype=np.float64), np.asarray(mos, dtype=np.float64)
    if scores.shape != mos.shape or scores.ndim != 1:
        raise ValueError(
            f"a ranker gives one score per annotated crop: {scores.shape} scores for {mos.shape}"
        )
    return scores, mos


def grid_accuracy(
    scores: ArrayLike, mos: ArrayLike, n: int, ks: Sequence[int] = (1, 2, 3, 4), ties: str = "include"
) -> np.ndarray:
    """ACC_{K/N} on the grid: the share of the K crops that the model likes best among the N best annotated ones.

    Args:
        scores: (M,) the model's scores.
        mos: (M,) mean opinion scores.
        n: N.
        ks: The values of K.
        ties: ``"include"`` counts every crop whose MOS is at least that of the N-th (the protocol of the data set);
            ``"file_order"`` takes exactly N.

    Returns:
        (len(ks),) float64.

    Raises:
        ValueError: If the lengths differ, N or a K is below 1, or ``ties`` is unknown.
    """
    scores, mos = _pair(scores, mos)
    good = np.zeros(len(mos), dtype=bool)
    good[top_crops(mos, n, ties)] = True
    return hit_shares(good[rank_order(scores)][:, None], ks)


def weighted_grid_accuracy(
    scores: ArrayLike, mos: ArrayLike, n: int, ks: Sequence[int] = (1, 2, 3, 4), beta: float = 0.2
) -> np.ndarray:
    """Rank-weighted accuracy: 1/K sum_j [r_j < N] exp(-beta (r_j - j)).

    r_0 < r_1 < ... are the ranks, from 0 and unique (equal MOS by file order), that the model's K best crops have among
    the annotations.

    Args:
        scores: (M,) the model's scores.
        mos: (M,) mean opinion scores.
        n: N.
        ks: The values of K.
        beta: Price of a rank; by custom 0.2 for N = 5 and 0.1 for N = 10.

    Returns:
        (len(ks),) float64.

    Raises:
        ValueError: If the lengths differ or N or a K is below 1.
    """
    scores, mos = _pair(scores, mos)
    if n < 1 or any(k < 1 for k in ks):
        raise ValueError(f"N and every K must be 1 or more, got N = {n}, K = {tuple(ks)}")
    rank = np.empty(len(mos), dtype=np.int64)
    rank[rank_order(mos)] = np.arange(len(mos))
    returned = rank[rank_order(scores)]
    values = []
    for k in ks:
        ranks = np.sort(returned[:k])
        weights = np.exp(-beta * (ranks - np.arange(len(ranks))))
        values.append(weights[ranks < n].sum() / k)
    return np.array(values, dtype=np.float64)


def _finite(scores: np.ndarray) -> np.ndarray:
    """Put the lowest finite score in the place of everything that is not finite."""
    finite = np.isfinite(scores)
    return np.where(finite, scores, scores[finite].min() if finite.any() else 0.0)


def _average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _correlation(scores: np.ndarray, mos: np.ndarray) -> float | None:
    """Pearson's r; None when ``mos`` is constant, 0 when only ``scores`` is."""
    if len(mos) < 2 or np.ptp(mos) == 0:
        return None
    if np.ptp(scores) == 0:
        return 0.0
    a, b = scores - scores.mean(), mos - mos.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # so that squares neither overflow nor vanish
    return float(np.clip((a @ b) / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def pcc(scores: ArrayLike, mos: ArrayLike) -> float | None:
    """Pearson correlation of a photo's scores with its mean opinion scores.

    Args:
        scores: (M,) the model's scores; one that is not finite counts as the lowest finite one.
        mos: (M,) mean opinion scores.

    Returns:
        The correlation in [-1, 1]; 0 for a model that scores all crops alike; None where it is undefined (fewer than
        two crops, or all of one MOS).

    Raises:
        ValueError: If the lengths differ.
    """
    scores, mos = _pair(scores, mos)
    return _correlation(_finite(scores), mos)


def srcc(scores: ArrayLike, mos: ArrayLike) -> float | None:
    """Spearman rank correlation of a photo's scores with its mean opinion scores; equal values share a rank.

    Args:
        scores: (M,) the model's scores; one that is not finite counts as the lowest finite one.
        mos: (M,) mean opinion scores.

    Returns:
        As :func:`pcc`.

    Raises:
        ValueError: If the lengths differ.
    """
    scores, mos = _pair(scores, mos)
    return _correlation(_average_ranks(_finite(scores)), _average_ranks(mos))
