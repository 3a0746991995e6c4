"""The ids of an index's keys, in the order in which they were added."""

import numpy as np


class IdTable:
    """Unique ids >= 0; row i is the i-th added."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []
        self._count = 0
        self._largest = -1
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, ids: np.ndarray) -> None:
        """Append ids (N,) int64.

        Raises:
            ValueError: An id that is negative, repeated or held already; nothing is appended.
        """
        unique, counts = np.unique(ids, return_counts=True)
        bad = unique[(unique < 0) | (counts > 1)]
        # ids mostly ascend from chunk to chunk, and then none can be held
        if not bad.size and len(unique) and unique[0] <= self._largest:
            bad = unique[self.rows_of(unique) >= 0]
        if bad.size:
            raise ValueError(f"ids must be at least 0 and each may be added once only, unlike {bad[0]}")
        self._parts.append(ids.copy())
        self._count += len(ids)
        self._largest = max(self._largest, int(unique[-1])) if len(unique) else self._largest
        self._sorted = None

    @property
    def array(self) -> np.ndarray:
        """All ids (n,) int64 by row."""
        if len(self._parts) != 1:
            self._parts = [np.concatenate([np.empty(0, np.int64), *self._parts])]
        return self._parts[0]

    def rows_of(self, ids: np.ndarray) -> np.ndarray:
        """Rows (m,) int64 of ids (m,); -1 where an id is not held."""
        if not self._count:
            return np.full(len(ids), -1, np.int64)
        if self._sorted is None:
            order = np.argsort(self.array)
            self._sorted = self.array[order], order
        table, order = self._sorted
        place = np.minimum(np.searchsorted(table, ids), len(table) - 1)
        return np.where(table[place] == ids, order[place], -1)

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        """Ids of rows of any shape; -1 stays -1."""
        return np.where(rows >= 0, self.array[rows], -1)
