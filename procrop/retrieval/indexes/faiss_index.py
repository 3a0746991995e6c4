"""Exact and approximate search in one process with FAISS."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from procrop.registry import INDEXES

from .base import VectorIndex, check_keys, scaled
from .exclusion import Exclusion
from .faiss_factory import (
    TRAIN_FOR_CODES,
    TRAIN_PER_LIST,
    check_factory,
    keys_needed,
    looks_at_all,
    make_index,
    parts,
    search_parameters,
)
from .id_table import IdTable
from .index_file import read_index_file, write_index_file
from .ranking import Proposal, pair_scores, rank_exactly, slack_of, sort_by_score

_MAGIC = b"procrop faiss index\n"
_VERSION = 2
_SEED = 0
# queries from which on FAISS is told to compare by one matrix product
_MATRIX_FROM = 4


def _import_faiss():  # noqa: ANN202 (a module)
    try:
        import faiss
    except ImportError as error:
        raise ImportError("FaissIndex needs faiss: pip install faiss-cpu") from error
    return faiss


@INDEXES.register_module()
class FaissIndex(VectorIndex):
    """Nearest neighbours by FAISS, of any kind that a factory string names.

    ``"Flat"`` is exact, and equal scores go by the smaller id on every machine and at every batch size: FAISS
    proposes candidates in float32; these and all that could tie with them are scored again in float64 in a fixed
    order, because FAISS's own order among (nearly) equal scores depends on batch size and machine.

    Every other factory is approximate: it may miss neighbours, but what it returns is sorted by (-score, id), and
    a query gets as many as there are. Where too few are found (IVF with few probes, HNSW with few nodes kept),
    the search looks further for that query, doubling its effort up to everything. Scores are exact where the
    keys themselves are stored (HNSW, IVF with Flat, anything refined), else FAISS's estimates.

    Equal keys, added in equal chunks, give equal bytes on one machine; so HNSW is built on one thread unless
    ``build_threads`` says otherwise.

    Args:
        factory: ``"Flat"``, ``"HNSW32"``, ``"IVF1024,Flat"``, ``"PQ32"``, ``"IVF1024,PQ32"``, scalar quantisation
            ``SQ8`` in place of PQ, with a transform ``OPQ32,`` or ``PCA64,`` before and exact refinement ``,RFlat``
            behind.
        metric: ``"cosine"``, ``"inner_product"`` or ``"l2"``.
        nprobe: Lists that a search of IVF visits (default 16).
        ef_search: Nodes that a search of HNSW keeps (default 64).
        ef_construction: Nodes kept while HNSW is built (default 40).
        k_factor: Candidates per neighbour wanted that a refinement looks at (default 4).
        build_threads: Threads that build HNSW; more than one gives other bytes each time.

    Raises:
        ValueError: Unknown metric or factory, or a setting that means nothing to it.
        ImportError: FAISS is missing.
    """

    def __init__(
        self,
        factory: str = "Flat",
        metric: str = "cosine",
        nprobe: int | None = None,
        ef_search: int | None = None,
        ef_construction: int | None = None,
        k_factor: int | None = None,
        build_threads: int = 1,
    ) -> None:
        super().__init__(metric)
        given = dict(nprobe=nprobe, ef_search=ef_search, ef_construction=ef_construction, k_factor=k_factor)
        self.settings = check_factory(factory, given)
        self.factory = factory
        self.build_threads = int(build_threads)
        self._faiss = _import_faiss()
        self._index = None
        self._ids = IdTable()
        self._largest = 0.0
        self._squares: np.ndarray | None = None

    @property
    def dim(self) -> int | None:
        return None if self._index is None else self._index.d

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def is_exact(self) -> bool:
        """Whether no neighbour is ever missed."""
        return self.factory == "Flat"

    def _made(self, dim: int) -> object:
        """The FAISS index, made when the length of the keys is known."""
        if self._index is None:
            self._index = make_index(self._faiss, self.factory, dim, self.metric)
            for part in parts(self._faiss, self._index):
                if isinstance(part, self._faiss.IndexHNSW):
                    part.hnsw.efConstruction = self.settings["ef_construction"]
                if hasattr(part, "do_polysemous_training"):
                    # orders codes for a filter that is not used here, and takes most of the training's time
                    part.do_polysemous_training = False
        return self._index

    def train(self, keys: np.ndarray) -> None:
        """Learn lists and codes from keys (N, d) float32, always the same from the same keys.

        At most 64 keys per list and 65,536 for codes are taken, drawn with a fixed seed.

        Raises:
            ValueError: As for `add`; too few keys, keys held already, or a factory that does not fit them.
        """
        keys = check_keys(keys, self.dim, self.metric, None, "training photo")
        index = self._made(keys.shape[1])
        if index.is_trained:
            return
        needed, reason = keys_needed(self._faiss, index)
        if len(keys) < needed:
            raise ValueError(
                f"factory {self.factory!r} needs at least {needed} keys to train on ({reason}), not {len(keys)}; "
                f"take fewer lists or shorter codes, or 'Flat', which needs no training"
            )
        most = max(TRAIN_PER_LIST * needed, TRAIN_FOR_CODES)
        if len(keys) > most:
            keys = keys[np.sort(np.random.default_rng(_SEED).choice(len(keys), most, replace=False))]
        index.train(scaled(keys, self.metric))

    def _insert(self, ids: np.ndarray, keys: np.ndarray) -> None:
        index = self._made(keys.shape[1])
        if not index.is_trained:
            raise ValueError(
                f"factory {self.factory!r} must be trained before keys are added: call train(keys)"
            )
        self._ids.add(ids)
        with self._threads():
            index.add(keys)
        self._squares = None
        lengths = np.einsum("nd,nd->n", keys, keys, dtype=np.float64)
        self._largest = max(self._largest, float(np.sqrt(lengths.max())))

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """As many threads as HNSW may be built with; the order in which they link nodes shows in the graph."""
        before = self._faiss.omp_get_max_threads()
        if "ef_search" in self.settings:
            self._faiss.omp_set_num_threads(self.build_threads)
        try:
            yield
        finally:
            self._faiss.omp_set_num_threads(before)

    @contextmanager
    def _as_matrix_product(self, num_queries: int) -> Iterator[None]:
        """Let a few queries already be compared by a matrix product, which is up to ten times as fast.

        FAISS's own threshold, a global number, is set for batches of hundreds; it decides nothing but speed.
        """
        tuning = self._faiss.cvar
        before = tuning.distance_compute_blas_threshold
        if num_queries >= _MATRIX_FROM:
            tuning.distance_compute_blas_threshold = 1
        try:
            yield
        finally:
            tuning.distance_compute_blas_threshold = before

    def _nearest(self, queries: np.ndarray, k: int, exclusion: Exclusion) -> tuple[np.ndarray, np.ndarray]:
        if not self.is_exact:
            return self._nearest_approximately(queries, k, exclusion)
        slack = slack_of(queries, self._largest, self.metric)

        def propose(block: np.ndarray, wanted: int) -> Proposal:
            wanted = min(wanted, len(self))
            look = self._compare if len(block) < _MATRIX_FROM else self._look_flat
            rows, near = look(queries[block], wanted)
            return Proposal(rows, near, wanted == len(self))

        return rank_exactly(
            queries, k, exclusion, self.metric, slack, propose, self._ids.ids_of, self._vectors
        )

    def _look_flat(self, queries: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        return self._look(self._index, queries, wanted)

    def _compare(self, queries: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
        """As `_look` over all keys, without FAISS, which gives a query one thread only."""
        keys = self._matrix(self._index)
        near = queries @ keys.T
        if self.metric == "l2":
            if self._squares is None:
                self._squares = np.einsum("nd,nd->n", keys, keys)
            near = 2 * near - self._squares - np.einsum("qd,qd->q", queries, queries)[:, None]
        rows = np.argpartition(near, -wanted, axis=1)[:, -wanted:]
        near = np.take_along_axis(near, rows, 1)
        order = np.argsort(-near, axis=1)
        return np.take_along_axis(rows, order, 1), np.take_along_axis(near, order, 1)

    def _look(
        self, index: object, queries: np.ndarray, wanted: int, params: object = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (q, wanted) and float32 scores of one FAISS search, best first; row -1 where it found no more."""
        with self._as_matrix_product(len(queries)):
            near, rows = index.search(np.ascontiguousarray(queries), wanted, params=params)
        return rows, -near if self.metric == "l2" else near

    def _nearest_approximately(
        self, queries: np.ndarray, k: int, exclusion: Exclusion
    ) -> tuple[np.ndarray, np.ndarray]:
        ids, scores = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf)
        barred = [int((self._ids.rows_of(exclusion.of(i)) >= 0).sum()) for i in exclusion.distinct]
        due = np.minimum(k, len(self) - np.broadcast_to(barred, len(queries)))
        wanted = min(len(self), k + exclusion.largest)
        waiting, effort = np.arange(len(queries)), 1
        while len(waiting):
            params = search_parameters(self._faiss, self._index, self.settings, wanted, effort)
            rows, near = self._look(self._index, queries[waiting], wanted, params)
            ids[waiting], scores[waiting] = self._rank(queries, waiting, rows, near, k, exclusion)
            waiting = waiting[(ids[waiting] >= 0).sum(axis=1) < due[waiting]]
            if looks_at_all(self._faiss, self._index, self.settings, wanted, effort):
                break
            effort *= 2
        everything = self._inner(("refine_index", "storage"))
        if len(waiting) and everything is not None:
            # nodes that no link of a graph leads to
            rows, near = self._look(everything, queries[waiting], wanted)
            ids[waiting], scores[waiting] = self._rank(queries, waiting, rows, near, k, exclusion)
        return ids, scores

    def _rank(
        self,
        queries: np.ndarray,
        block: np.ndarray,
        rows: np.ndarray,
        near: np.ndarray,
        k: int,
        exclusion: Exclusion,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best of what was found for some queries, scored exactly where the keys are stored."""
        found = self._ids.ids_of(rows)
        found[exclusion.mask(block, found)] = -1
        scores = near.astype(np.float64)
        if self._stores_keys():
            which, column = np.nonzero(found >= 0)
            chosen = rows[which, column]
            scores[which, column] = pair_scores(queries, block[which], chosen, self._vectors, self.metric)
        return sort_by_score(found, scores, k)

    def _inner(self, names: tuple[str, ...]) -> object | None:
        """The part of the index that holds all keys or codes row by row, or None."""
        for name in names:
            if hasattr(self._index, name):
                return self._faiss.downcast_index(getattr(self._index, name))
        return None

    def _flat(self) -> object | None:
        """The part that holds the very keys, row by row, or None."""
        index = self._inner(("refine_index", "storage")) or self._index
        return index if isinstance(index, self._faiss.IndexFlat) else None

    def _stores_keys(self) -> bool:
        return self._flat() is not None or isinstance(self._index, self._faiss.IndexIVFFlat)

    def _vectors(self, rows: np.ndarray) -> np.ndarray:
        """The keys (n, d) float32 of rows (n,), copied out of FAISS's memory."""
        flat = self._flat()
        if flat is None:
            if self._index.direct_map.type == self._faiss.DirectMap.NoMap:
                self._index.make_direct_map()
            return self._index.reconstruct_batch(rows)
        return self._matrix(flat)[rows]

    def _matrix(self, flat: object) -> np.ndarray:
        """The keys (n, d) float32 of a flat index, as a view into FAISS's memory."""
        return self._faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(-1, flat.d)

    def save(self, path: str | os.PathLike) -> None:
        """Write the index; ``faiss.write_index`` is avoided, as it returns normally from a full disk."""
        if not len(self):
            raise ValueError(f"{path}: an index without keys cannot be saved")
        if isinstance(self._index, self._faiss.IndexIVF):
            # made again when needed; saved, it would make the bytes depend on whether there was a search
            self._index.set_direct_map_type(self._faiss.DirectMap.NoMap)
        header = {
            "metric": self.metric,
            "factory": self.factory,
            "settings": self.settings,
            "count": len(self),
            "dim": self.dim,
            "largest": self._largest,
        }
        payload = [self._faiss.serialize_index(self._index), self._ids.array.view(np.uint8)]
        write_index_file(path, _MAGIC, _VERSION, header, payload)

    @classmethod
    def open(cls, path: str | os.PathLike) -> "FaissIndex":
        """Read an index, verifying its checksum: FAISS would load flipped bytes without a word."""
        header, payload = read_index_file(path, _MAGIC, _VERSION)
        try:
            index = cls(header["factory"], header["metric"], **header["settings"])
            split = len(payload) - 8 * header["count"]
            index._ids.add(np.frombuffer(payload[split:].tobytes(), np.int64))
            index._index = index._faiss.deserialize_index(payload[:split])
            index._largest = header["largest"]
            fits = (index._index.ntotal, index._index.d) == (header["count"], header["dim"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: its content is damaged ({error}); build the gallery again") from error
        if not fits:
            raise ValueError(f"{path}: its header does not fit its content; build the gallery again")
        return index
