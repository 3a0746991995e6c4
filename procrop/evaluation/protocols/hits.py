"""What the protocols by IoU >= eps share: when a crop hits, how a key says so, and one-to-one matching."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.functional.topn_accuracy import distinct_hits

# subsets of rows are enumerated up to this many rows; beyond, photos are matched one by one
_ENUMERATED = 8


def check_eps(eps: float | Sequence[float]) -> tuple[float, ...]:
    """One or several thresholds as a tuple.

    Raises:
        ValueError: If one is not above 0 and at most 1.
    """
    values = (float(eps),) if isinstance(eps, (int, float)) else tuple(float(value) for value in eps)
    if not values or not all(0 < value <= 1 for value in values):
        raise ValueError(f"eps is an IoU above 0 and at most 1, got {eps!r}")
    return values


def check_counts(**counts: Sequence[int]) -> None:
    """See that every list of N or K has values of 1 or more.

    Raises:
        ValueError: If one has not.
    """
    if any(not values or min(values) < 1 for values in counts.values()):
        raise ValueError(f"{' and '.join(counts)} need values of 1 or more, got {tuple(counts.values())}")


def is_hit(iou: np.ndarray, eps: float, strict: bool) -> np.ndarray:
    """Whether two crops of this IoU count as equal; ``strict`` asks for more than eps."""
    return iou > eps if strict else iou >= eps


def key_end(eps: float | str, ties: str, strict: bool = False, one_to_one: bool = False) -> str:
    """What a key says of its options: ``@0.85``, ``@>0.85``, ``@0.85_ties_1to1``."""
    eps = eps if isinstance(eps, str) else f"{eps:g}"
    tie_policy = "_ties" if ties == "include" else ""
    return f"@{'>' if strict else ''}{eps}{tie_policy}{'_1to1' if one_to_one else ''}"


def largest_matchings(hits: np.ndarray) -> np.ndarray:
    """Size of the largest one-to-one matching of the first 1, 2, ..., K rows with the columns.

    By König's theorem it is, for k rows, k + min over sets S of them of |columns that S hits| - |S|.

    Args:
        hits: (..., K, C) bool.

    Returns:
        (..., K) int64.
    """
    *outer, rows, columns = hits.shape
    if rows > _ENUMERATED:
        flat = [distinct_hits(one) for one in hits.reshape(-1, rows, columns)]
        return np.array(flat, dtype=np.int64).reshape(*outer, rows)
    reached = {0: np.zeros((*outer, columns), dtype=bool)}
    least = np.zeros(outer, dtype=np.int64)
    sizes = []
    for row in range(rows):
        for subset in range(1 << row):
            union = reached[subset] | hits[..., row, :]
            reached[subset | 1 << row] = union
            least = np.minimum(least, np.count_nonzero(union, axis=-1) - (subset.bit_count() + 1))
        sizes.append(row + 1 + least)
    return np.stack(sizes, axis=-1) if sizes else np.zeros((*outer, 0), dtype=np.int64)
