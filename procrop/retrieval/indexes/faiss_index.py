"""Exact search with FAISS."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from procrop.io.atomic import atomic_write
from procrop.registry import INDEXES

from .base import VectorIndex, check_keys

_MAGIC = b"procrop faiss index\n"
_VERSION = 1


def _import_faiss():  # noqa: ANN202 (a module)
    try:
        import faiss
    except ImportError as error:
        raise ImportError("FaissIndex needs faiss: pip install faiss-cpu") from error
    return faiss


@INDEXES.register_module()
class FaissIndex(VectorIndex):
    """Exact nearest neighbours; equal scores go by the smaller id, on every machine.

    FAISS proposes candidates in float32; these and all that could tie with them are scored again in float64
    in a fixed order, because FAISS's own order among (nearly) equal scores depends on batch size and machine.

    Args:
        factory: FAISS factory string; only ``"Flat"`` is exact.
        metric: ``"cosine"``, ``"inner_product"`` or ``"l2"``.

    Raises:
        ValueError: Unknown metric or a factory string that is not exact.
        ImportError: FAISS is missing.
    """

    def __init__(self, factory: str = "Flat", metric: str = "cosine") -> None:
        super().__init__(metric)
        if factory != "Flat":
            raise ValueError(f"FaissIndex searches exactly and takes factory='Flat' only, not {factory!r}")
        self.factory = factory
        self._faiss = _import_faiss()
        self._flat = None
        self._ids = np.empty(0, np.int64)

    @property
    def dim(self) -> int | None:
        return None if self._flat is None else self._flat.d

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: np.ndarray, keys: np.ndarray) -> None:
        ids = np.asarray(ids, np.int64)
        keys = check_keys(keys, self.dim, self.metric, ids, "gallery photo")
        if ids.shape != (len(keys),):
            raise ValueError(f"{len(keys)} keys need as many ids, not {ids.shape}")
        merged = np.concatenate([self._ids, ids])
        if (ids < 0).any() or len(np.unique(merged)) != len(merged):
            raise ValueError("ids must be at least 0 and each may be added once only")
        if self._flat is None:
            kind = self._faiss.IndexFlatL2 if self.metric == "l2" else self._faiss.IndexFlatIP
            self._flat = kind(keys.shape[1])
        self._flat.add(self._scaled(keys))
        self._ids = merged

    def _scaled(self, keys: np.ndarray) -> np.ndarray:
        if self.metric != "cosine":
            return keys
        wide = keys.astype(np.float64)
        return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)

    def search(
        self, keys: np.ndarray, k: int, exclude: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        if k < 0:
            raise ValueError(f"k must be at least 0, not {k}")
        keys = self._scaled(check_keys(keys, self.dim, self.metric, None, "query"))
        barred = np.isin(self._ids, np.asarray([] if exclude is None else exclude, np.int64))
        k = min(k, int((~barred).sum()))
        ids = np.empty((len(keys), k), np.int64)
        scores = np.empty((len(keys), k), np.float32)
        if k == 0 or len(keys) == 0:
            return ids, scores
        vectors = self._vectors()
        largest = float(np.sqrt(np.max(np.einsum("nd,nd->n", vectors, vectors))))
        rows, near = self._candidates(keys, k + int(barred.sum()))
        for i, query in enumerate(keys):
            ids[i], scores[i] = self._rank(query, rows[i], near[i], k, barred, vectors, largest)
        return ids, scores

    def _vectors(self) -> np.ndarray:
        """The stored vectors (n, d) float32, as a view into FAISS's memory."""
        flat = self._flat
        return self._faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)

    def _candidates(self, keys: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        near, rows = self._flat.search(keys, min(len(self), wanted + 16))
        return rows, (-near if self.metric == "l2" else near)

    def _rank(
        self,
        query: np.ndarray,
        rows: np.ndarray,
        near: np.ndarray,
        k: int,
        barred: np.ndarray,
        vectors: np.ndarray,
        largest: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score a query's candidates exactly, fetching more while the last ones may still belong in the top k."""
        length = float(np.linalg.norm(query.astype(np.float64)))
        scale = (length + largest) ** 2 if self.metric == "l2" else length * largest
        # twice the worst rounding of a float32 sum of d products
        slack = 2 * len(query) * np.finfo(np.float32).eps * scale
        while True:
            free = rows[~barred[rows]]
            exact = self._exact_scores(query, vectors[free])
            order = np.lexsort((self._ids[free], -exact))[:k]
            if len(rows) == len(self) or (len(order) == k and exact[order[-1]] - near[-1] > slack):
                return self._ids[free][order], exact[order].astype(np.float32)
            rows, near = (a[0] for a in self._candidates(query[None], 2 * len(rows)))

    def _exact_scores(self, query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        wide, query = vectors.astype(np.float64), query.astype(np.float64)
        if self.metric == "l2":
            return -((wide - query) ** 2).sum(axis=1)
        return (wide * query).sum(axis=1)

    def save(self, path: str | os.PathLike) -> None:
        """Write the index; ``faiss.write_index`` is avoided, as it returns normally from a full disk."""
        if self._flat is None:
            raise ValueError(f"{path}: an index without keys cannot be saved")
        payload = self._faiss.serialize_index(self._flat).tobytes() + self._ids.tobytes()
        header = {
            "version": _VERSION,
            "metric": self.metric,
            "factory": self.factory,
            "count": len(self),
            "dim": self.dim,
            "sha256": hashlib.sha256(payload).hexdigest(),
        }
        with atomic_write(path) as file:
            file.write(_MAGIC)
            file.write(json.dumps(header, sort_keys=True).encode("ascii") + b"\n")
            file.write(payload)

    @classmethod
    def open(cls, path: str | os.PathLike) -> "FaissIndex":
        """Read an index, verifying its checksum: FAISS would load flipped bytes without a word."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: cannot be read ({error.strerror}); build the gallery again") from error
        head, _, payload = data[len(_MAGIC) :].partition(b"\n")
        if not data.startswith(_MAGIC):
            raise ValueError(f"{path}: not an index of ProCrop (wrong magic bytes); build the gallery again")
        try:
            header = json.loads(head)
            version, digest, count = header["version"], header["sha256"], header["count"]
            index = cls(header["factory"], header["metric"]) if version == _VERSION else None
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: its header is damaged ({error}); build the gallery again") from error
        if index is None:
            raise ValueError(
                f"{path}: index version {version}, but this program reads {_VERSION}; build it again"
            )
        if hashlib.sha256(payload).hexdigest() != digest:
            raise ValueError(f"{path}: its bytes have changed since it was written; build the gallery again")
        split = len(payload) - 8 * count
        index._ids = np.frombuffer(payload[split:], np.int64).copy()
        index._flat = index._faiss.deserialize_index(np.frombuffer(payload[:split], np.uint8))
        if index._flat.ntotal != count or index._flat.d != header["dim"]:
            raise ValueError(f"{path}: its header does not fit its content; build the gallery again")
        return index
