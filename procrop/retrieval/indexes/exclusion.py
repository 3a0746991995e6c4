"""Which ids a search must pass over."""

from collections.abc import Sequence

import numpy as np


class Exclusion:
    """Ids that are not to be returned, the same for all queries or each query's own.

    Args:
        exclude: (E,) int64 for all queries, a list of one such array per query, or None.
        num_queries: Q.

    Raises:
        ValueError: A list per query of another length than Q.

    Attributes:
        largest: Most ids that any query excludes.
    """

    def __init__(self, exclude: np.ndarray | Sequence[np.ndarray] | None, num_queries: int) -> None:
        entries = () if exclude is None else exclude
        one = entries.ndim < 2 if isinstance(entries, np.ndarray) else not any(map(np.ndim, entries))
        self.shared = bool(one)
        if not self.shared and len(entries) != num_queries:
            raise ValueError(
                f"{num_queries} queries need as many lists of ids to exclude, not {len(entries)}"
            )
        self._sets = [np.unique(np.asarray(e, np.int64)) for e in ([entries] if self.shared else entries)]
        self.largest = max(map(len, self._sets), default=0)
        if not self.shared and self.largest:
            # an id's place in the list of all excluded ids and its query make one number
            self._known = np.unique(np.concatenate(self._sets))
            places = [
                query * len(self._known) + np.searchsorted(self._known, own)
                for query, own in enumerate(self._sets)
            ]
            self._pairs = np.concatenate(places)

    @property
    def distinct(self) -> range:
        """Numbers of queries whose exclusions stand for those of all: one where it is shared."""
        return range(len(self._sets))

    def of(self, query: int) -> np.ndarray:
        """Ids (E,) int64, ascending, that are not to be returned for a query."""
        return self._sets[0 if self.shared else query]

    def mask(self, queries: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Which of ids (q, c) found for queries (q,) are excluded: (q, c) bool."""
        if not self.largest:
            return np.zeros(ids.shape, bool)
        if self.shared:
            return _within(self._sets[0], ids)[0]
        known, place = _within(self._known, ids)
        return known & _within(self._pairs, queries[:, None] * len(self._known) + place)[0]


def _within(table: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether each value is in a sorted table of at least one entry, and its place there."""
    place = np.minimum(np.searchsorted(table, values), len(table) - 1)
    return table[place] == values, place
