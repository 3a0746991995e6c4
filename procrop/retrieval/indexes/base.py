"""What a vector index is: named keys in, nearest ids out."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ..backbones.base import METRICS
from .exclusion import Exclusion

# squared length above which distances would overflow float32
_LONGEST = 1e37


class VectorIndex(ABC):
    """Nearest-neighbour search over keys.

    Scores are similarities, larger is nearer, under every metric: the cosine, the inner product, or minus the
    squared Euclidean distance. A subclass stores what `_insert` is given and answers in `_nearest`; what comes in
    is checked here.

    Args:
        metric: ``"cosine"``, ``"inner_product"`` or ``"l2"``.
    """

    def __init__(self, metric: str = "cosine") -> None:
        if metric not in METRICS:
            raise ValueError(f"unknown metric {metric!r}; choose from {', '.join(METRICS)}")
        self.metric = metric

    @property
    @abstractmethod
    def dim(self) -> int | None:
        """Length of the keys; None before the first `train` or `add`."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of keys held."""

    def train(self, keys: np.ndarray) -> None:  # noqa: B027 (most need no training)
        """Learn from keys (N, d) float32 what the index needs before the first `add`; most need nothing.

        Raises:
            ValueError: Keys that cannot be used, or too few of them.
        """

    def add(self, ids: np.ndarray, keys: np.ndarray) -> None:
        """Add keys (N, d) float32 under ids (N,) int64 >= 0, none of which is held already.

        Raises:
            ValueError: Wrong shape or length, NaN or infinite values, zero vectors under the cosine, or ids
                that are negative or repeated; the message names the id.
        """
        ids = np.asarray(ids, np.int64)
        keys = check_keys(keys, self.dim, self.metric, ids, "gallery photo")
        if ids.shape != (len(keys),):
            raise ValueError(f"{len(keys)} keys need as many ids, not {ids.shape}")
        if len(ids):
            self._insert(ids, scaled(keys, self.metric))

    def search(
        self, keys: np.ndarray, k: int, exclude: np.ndarray | Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest ids of each query.

        Args:
            keys: (Q, d) float32.
            k: Ids wanted per query; 0 is allowed.
            exclude: Ids that must not be returned: an array (E,) int64 for all queries, or a list of Q arrays,
                one per query.

        Returns:
            ids (Q, k') int64 and scores (Q, k') float32, sorted by (-score, id), never a filler. k' is the
            smaller of k and the number of ids not excluded; where queries exclude differently, the smallest
            such number of any query.

        Raises:
            ValueError: As for `add`, or k < 0.
        """
        if k < 0:
            raise ValueError(f"k must be at least 0, not {k}")
        keys = check_keys(keys, self.dim, self.metric, None, "query")
        exclusion = Exclusion(exclude, len(keys))
        k = min(k, len(self))
        if k == 0 or len(keys) == 0:
            return np.empty((len(keys), k), np.int64), np.empty((len(keys), k), np.float32)
        ids, scores = self._nearest(scaled(keys, self.metric), k, exclusion)
        width = int((ids >= 0).sum(axis=1).min())
        return ids[:, :width], scores[:, :width].astype(np.float32)

    @abstractmethod
    def _insert(self, ids: np.ndarray, keys: np.ndarray) -> None:
        """Hold checked keys (N, d) float32, N >= 1, of unit length under the cosine, under ids (N,) int64.

        Raises:
            ValueError: An id that is negative or held already.
        """

    @abstractmethod
    def _nearest(self, queries: np.ndarray, k: int, exclusion: Exclusion) -> tuple[np.ndarray, np.ndarray]:
        """Ids (Q, k) and scores (Q, k) of Q >= 1 checked queries, 1 <= k <= len(self), sorted by (-score, id).

        Rows of queries that have fewer end in id -1.
        """

    def verify(self) -> list[str]:
        """Check what `open` does not: keys that lie elsewhere than in the saved file.

        Returns:
            One line per problem; empty when all is well, and for an index whose file holds everything.

        Raises:
            OSError: A server that does not answer.
        """
        return []

    @abstractmethod
    def save(self, path: str | os.PathLike) -> None:
        """Write the index to the file ``path``, atomically, with a checksum that `open` verifies.

        Equal content gives equal bytes. What else an index keeps on the disk lies beside it, at names that begin
        with ``path``; an index on a server leaves there where it is and a hash of what it holds.
        """

    @classmethod
    @abstractmethod
    def open(cls, path: str | os.PathLike) -> "VectorIndex":
        """Read an index that `save` wrote.

        Raises:
            ValueError: The file is absent, damaged, of another format or another version.
        """


def scaled(keys: np.ndarray, metric: str) -> np.ndarray:
    """Keys (N, d) float32 as indexes hold them: brought to unit length under the cosine, which makes it an inner
    product."""
    if metric != "cosine":
        return keys
    wide = keys.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return wide.astype(np.float32)


def check_keys(
    keys: np.ndarray, dim: int | None, metric: str, names: np.ndarray | None, what: str
) -> np.ndarray:
    """Validate keys (N, d) and return them as contiguous float32.

    Args:
        keys: The keys.
        dim: Length they must have; None accepts any but 0.
        metric: Under the cosine a zero vector is refused too, else one whose distances overflow.
        names: Ids (N,) to name a bad row by; None counts rows.
        what: What a row is called in the message, e.g. ``"query"``.

    Raises:
        ValueError: The keys cannot be used; the message names the first bad row.
    """
    keys = np.asarray(keys)
    if keys.ndim != 2 or keys.dtype.kind != "f" or keys.shape[1] == 0:
        raise ValueError(f"{what} keys must be a (N, d) float array, not {keys.dtype} {keys.shape}")
    if dim is not None and keys.shape[1] != dim:
        raise ValueError(
            f"{what} keys have length {keys.shape[1]}, but the index holds keys of length {dim}: they come from "
            f"another encoder or key transform"
        )
    with np.errstate(over="ignore"):
        keys = np.ascontiguousarray(keys, np.float32)
    bad, reason = ~np.isfinite(keys).all(axis=1), "holds NaN or infinite values"
    if not bad.any() and metric == "cosine":
        bad, reason = ~keys.any(axis=1), "is all zero, which has no cosine"
    elif not bad.any():
        with np.errstate(over="ignore"):
            bad = np.einsum("nd,nd->n", keys, keys) > _LONGEST
        reason = "is so long that distances overflow; divide all keys by a constant"
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"the key of {what} {row if names is None else names[row]} {reason}")
    return keys
