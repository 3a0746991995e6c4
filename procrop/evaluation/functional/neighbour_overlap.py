"""How far two encoders agree on the neighbours of a query."""

from collections.abc import Hashable, Sequence


def neighbour_overlap(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Share of the top k in common, whatever the order.

    Args:
        first: Names of the neighbours that one encoder finds, k of them.
        second: Those of another encoder; where it found fewer, those that are missing are not in common.

    Returns:
        In [0, 1]. Two encoders that draw k of n photos at random reach k / n on average.

    Raises:
        ValueError: Neither has found anything.
    """
    most = max(len(first), len(second))
    if not most:
        raise ValueError("the overlap of no neighbours at all is not defined")
    return len(set(first) & set(second)) / most
