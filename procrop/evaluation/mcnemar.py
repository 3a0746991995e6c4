"""Is one of two ways to do the same things more often right? The exact test of McNemar (1947)."""

import math

import numpy as np


def mcnemar_p(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p of paired yes or no: only the pairs that differ count, and each is a fair coin if both are equal.

    Args:
        first: (T,) bool.
        second: (T,) bool, of the same things.

    Returns:
        Twice the smaller tail of the binomial distribution, at most 1; 1 where no pair differs.

    Raises:
        ValueError: If the lengths differ.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(f"paired answers must be as many, got {first.shape} and {second.shape}")
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    tail = sum(math.comb(one + other, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / 2 ** (one + other))
