"""Accuracy of free-form crops by IoU >= eps: ACC_{K/N}, and the recall of the best crop.

The two go in opposite directions and give different figures for the same predictions:

* ``topn_accuracy`` (ACC_{K/N}): what share of the K best predictions equals one of the N best annotated crops?
* ``best_crop_recall``: does any of the N best predictions equal the single best annotated crop? This is the protocol of
  Jia et al. (2022), whose printed "ACC_{1/N}" it is.

Two crops are equal when their IoU is eps or more.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from procrop.evaluation.functional.ranking import top_crops


def distinct_hits(hits: np.ndarray) -> np.ndarray:
    """Size of the largest one-to-one matching of the first 1, 2, ..., P rows with the columns.

    Args:
        hits: (P, T) bool, may the prediction be matched with the annotated crop?

    Returns:
        (P,) int64, not decreasing.
    """
    owner: dict[int, int] = {}

    def claim(row: int, seen: set[int]) -> bool:
        for column in np.flatnonzero(hits[row]):
            if column not in seen:
                seen.add(column)
                if column not in owner or claim(owner[column], seen):
                    owner[column] = row
                    return True
        return False

    # rows once matched stay matched, so one search per new row keeps every prefix at its maximum
    return np.cumsum([claim(row, set()) for row in range(len(hits))], dtype=np.int64)


def hit_shares(hits: np.ndarray, ks: Sequence[int], one_to_one: bool = False) -> np.ndarray:
    """Share of the first K rows with a hit; rows that are not there count as misses.

    Args:
        hits: (P, T) bool, prediction in rank order by annotated crop.
        ks: The values of K.
        one_to_one: Whether an annotated crop serves one prediction only.

    Returns:
        (len(ks),) float64.

    Raises:
        ValueError: If a K is below 1.
    """
    if any(k < 1 for k in ks):
        raise ValueError(f"every K must be 1 or more, got {tuple(ks)}")
    hits = hits[: max(ks, default=0)]
    counts = distinct_hits(hits) if one_to_one else np.cumsum(hits.any(axis=1))
    counts = np.concatenate([[0], counts])
    return np.array([counts[min(k, len(hits))] / k for k in ks], dtype=np.float64)


def topn_accuracy(
    iou: ArrayLike,
    mos: ArrayLike,
    n: int,
    ks: Sequence[int] = (1, 2, 3, 4),
    eps: float = 0.85,
    ties: str = "file_order",
    one_to_one: bool = False,
    strict: bool = False,
) -> np.ndarray:
    """ACC_{K/N} of one photo: the share of the K best predictions that equal one of the N best annotated crops.

    Args:
        iou: (P, M) IoU of the predictions, best score first, with all valid annotated crops in file order.
        mos: (M,) mean opinion scores of these crops.
        n: N; with fewer annotated crops all of them count.
        ks: The values of K; predictions that are missing count as misses.
        eps: Smallest IoU of a hit.
        ties: ``"file_order"`` or ``"include"``, see :func:`~procrop.evaluation.functional.top_crops`.
        one_to_one: Count a set of predictions by the largest matching with distinct annotated crops. By default
            several predictions may hit the same one, so N near-copies of a good crop all count.
        strict: Whether a hit needs an IoU above eps.

    Returns:
        (len(ks),) float64. The averaged ACC_N is its mean for K = 1, 2, 3, 4.

    Raises:
        ValueError: If N or a K is below 1 or ``ties`` unknown.
    """
    iou = np.asarray(iou, dtype=np.float64)[:, top_crops(mos, n, ties)]
    return hit_shares(iou > eps if strict else iou >= eps, ks, one_to_one)


def best_crop_recall(
    iou: ArrayLike, mos: ArrayLike, n: int, eps: float = 0.85, ties: str = "file_order"
) -> float:
    """Recall of the best annotated crop in the N best predictions, for one photo (Jia et al. 2022).

    Args:
        iou: (P, M) IoU of the predictions, best score first, with all valid annotated crops in file order.
        mos: (M,) mean opinion scores of these crops.
        n: How many predictions may try; with fewer those there are.
        eps: Smallest IoU of a hit.
        ties: ``"file_order"``: the first line among the crops of the highest score is the best one;
            ``"include"``: any of them will do.

    Returns:
        1.0 or 0.0.

    Raises:
        ValueError: If N is below 1 or ``ties`` unknown.
    """
    if n < 1:
        raise ValueError(f"top-N needs N of 1 or more, got {n}")
    iou = np.asarray(iou, dtype=np.float64)
    return float((iou[:n, top_crops(mos, 1, ties)] >= eps).any())
