"""Which prediction comes first, which annotated crops are the best, which annotated crops count at all."""

import numpy as np
from numpy.typing import ArrayLike

#: what GAICD files write for a candidate crop that nobody scored
UNSCORED = -2.0

TIES = ("file_order", "include")


def check_ties(ties: str) -> str:
    """Return ``ties``.

    Raises:
        ValueError: If it is unknown.
    """
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}, got {ties!r}")
    return ties


def check_top(n: int, ties: str) -> None:
    """See that there is a top N.

    Raises:
        ValueError: If n is below 1 or ``ties`` unknown.
    """
    if n < 1:
        raise ValueError(f"top-N needs N of 1 or more, got {n}")
    check_ties(ties)


def rank_order(scores: ArrayLike) -> np.ndarray:
    """Order by (-score, position); a score that is not finite never wins: it comes last.

    Args:
        scores: (n,) float.

    Returns:
        (n,) int64 positions, best first.
    """
    scores = np.asarray(scores, dtype=np.float64)
    return np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), kind="stable")


def valid_crops(bboxes: ArrayLike, scores: ArrayLike | None = None) -> np.ndarray:
    """Tell which annotated crops count: finite boxes of positive area with a finite score that is not -2.

    Args:
        bboxes: (n, 4) ``xyxy``.
        scores: (n,) mean opinion scores; None when the annotation has none.

    Returns:
        (n,) bool.
    """
    x1, y1, x2, y2 = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4).T
    with np.errstate(invalid="ignore"):  # a sum is finite only if all its terms are
        valid = (x2 > x1) & (y2 > y1) & np.isfinite(x1 + y1 + x2 + y2)
    if scores is not None:
        scores = np.asarray(scores, dtype=np.float64)
        valid &= np.isfinite(scores) & (scores != UNSCORED)
    return valid


def top_crops(mos: ArrayLike, n: int, ties: str = "file_order") -> np.ndarray:
    """Pick the n annotated crops of the highest mean opinion score.

    Args:
        mos: (m,) finite scores in file order.
        n: How many to take; all of them when there are fewer.
        ties: ``"file_order"`` takes exactly n, the earlier line first among equals; ``"include"`` also takes every
            further crop that equals the n-th.

    Returns:
        (n or more,) int64 positions, best first.

    Raises:
        ValueError: If n is below 1 or ``ties`` unknown.
    """
    check_top(n, ties)
    mos = np.asarray(mos, dtype=np.float64)
    order = rank_order(mos)
    if ties == "include" and n < len(order):
        n = int(np.count_nonzero(mos >= mos[order[n - 1]]))
    return order[:n]
