"""What a vector index is: named keys in, nearest ids out."""

import os
from abc import ABC, abstractmethod

import numpy as np

from ..backbones.base import METRICS


class VectorIndex(ABC):
    """Nearest-neighbour search over keys.

    Scores are similarities, larger is nearer, under every metric: the cosine, the inner product, or minus the
    squared Euclidean distance.

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
        """Length of the keys; None before the first `add`."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of keys held."""

    def train(self, keys: np.ndarray) -> None:  # noqa: B027
        """Learn from a sample of keys (N, d) float32 before the first `add`; most indexes have nothing to learn."""

    @abstractmethod
    def add(self, ids: np.ndarray, keys: np.ndarray) -> None:
        """Add keys (N, d) float32 under ids (N,) int64 >= 0, none of which is held already.

        Raises:
            ValueError: Wrong shape or length, NaN or infinite values, zero vectors under the cosine, or ids
                that are negative or repeated; the message names the id.
        """

    @abstractmethod
    def search(
        self, keys: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest ids of each query.

        Args:
            keys: (Q, d) float32.
            k: Ids wanted per query; 0 is allowed.
            exclude: Ids (E,) int64 that must not be returned.

        Returns:
            ids (Q, k') int64 and scores (Q, k') float32, sorted by (-score, id), with k' the smaller of k and
            the number of ids not excluded: never a filler.

        Raises:
            ValueError: As for `add`, or k < 0.
        """

    @abstractmethod
    def save(self, path: str | os.PathLike) -> None:
        """Write the index to one file, atomically, with a checksum that `open` verifies."""

    @classmethod
    @abstractmethod
    def open(cls, path: str | os.PathLike) -> "VectorIndex":
        """Read an index that `save` wrote.

        Raises:
            ValueError: The file is absent, damaged, of another format or another version.
        """


def check_keys(
    keys: np.ndarray, dim: int | None, metric: str, names: np.ndarray | None, what: str
) -> np.ndarray:
    """Validate keys (N, d) and return them as contiguous float32.

    Args:
        keys: The keys.
        dim: Length they must have; None accepts any.
        metric: Under the cosine a zero vector is refused too.
        names: Ids (N,) to name a bad row by; None counts rows.
        what: What a row is called in the message, e.g. ``"query"``.

    Raises:
        ValueError: The keys cannot be used; the message names the first bad row.
    """
    keys = np.asarray(keys)
    if keys.ndim != 2 or keys.dtype.kind != "f":
        raise ValueError(f"{what} keys must be a (N, d) float array, not {keys.dtype} {keys.shape}")
    if dim is not None and keys.shape[1] != dim:
        raise ValueError(
            f"{what} keys have length {keys.shape[1]}, but the index holds keys of length {dim}: they come from "
            f"another encoder or key transform"
        )
    keys = np.ascontiguousarray(keys, np.float32)
    bad = ~np.isfinite(keys).all(axis=1)
    reason = "holds NaN or infinite values"
    if not bad.any() and metric == "cosine":
        bad, reason = ~keys.any(axis=1), "is all zero, which has no cosine"
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"the key of {what} {row if names is None else names[row]} {reason}")
    return keys
