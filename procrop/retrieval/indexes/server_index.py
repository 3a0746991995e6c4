"""What indexes whose keys live on a server have in common."""

import hashlib
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np

from procrop.io.manifest import sha256_json

from .base import VectorIndex
from .exclusion import Exclusion
from .faiss_index import FaissIndex
from .index_file import read_index_file, write_index_file
from .key_spool import KeySpool
from .ranking import Proposal, pair_scores, rank_exactly, slack_of, sort_by_score

_VERSION = 1
# more excluded ids than this are passed over by the server, fewer are fetched and dropped here
_DROPPED_HERE = 256
# keys are sent, and numbers of candidates fetched, this many at once
_ROWS_AT_ONCE = 1000
_NUMBERS_AT_ONCE = 1 << 21


class IndexServerError(OSError):
    """A server that cannot be reached or does not do what it is asked; the message names it and the remedy."""


class ServerIndex(VectorIndex):
    """An index on a server; the file that `save` writes points there.

    Keys wait in a temporary file until `save` sends them, under a name that carries a hash of all ids, keys
    and build settings: equal content is sent once, what a killed build left half-sent is dropped and sent again, and
    something else under that name is refused. Until then searches are exact and local. Once saved, nothing can be
    added.

    A subclass says how to talk to its server: `_connect`, `_state`, `_send`, `_drop`, `_ask`, `_stored`.
    """

    magic: ClassVar[bytes]
    # most candidates that the server returns for a query
    limit: ClassVar[int]
    # settings that change nothing of what is on the server
    search_settings: ClassVar[tuple[str, ...]]

    def __init__(self, metric: str, settings: dict[str, Any]) -> None:
        super().__init__(metric)
        self.settings = settings
        self._spool: KeySpool | None = None
        self._local: FaissIndex | None = None
        # what the pointer says, once the keys are on the server
        self._saved: dict[str, Any] | None = None

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether no neighbour is ever missed."""

    @property
    def dim(self) -> int | None:
        if self._saved:
            return self._saved["dim"]
        return None if self._spool is None else self._spool.dim

    def __len__(self) -> int:
        if self._saved:
            return self._saved["count"]
        return 0 if self._spool is None else len(self._spool)

    def _insert(self, ids: np.ndarray, keys: np.ndarray) -> None:
        if self._saved:
            raise ValueError(
                f"{self._saved['name']}: saved already, nothing can be added; build a new index from all keys"
            )
        if self._spool is None:
            self._spool = KeySpool(keys.shape[1])
        self._spool.add(ids, keys)
        self._local = None

    @abstractmethod
    def _connect(self, path: Path, fresh: bool) -> None:
        """Get ready to talk to the server.

        Args:
            path: Where the pointer is or will be.
            fresh: Whether an embedded database may be made.

        Raises:
            ValueError: It may not, and there is none.
            IndexServerError: The server cannot be reached.
        """

    @abstractmethod
    def _state(self, header: dict[str, Any]) -> str | None:
        """None when the server holds exactly what the header describes, else what is wrong, ``"absent"`` when
        nothing is there under ``header["name"]``."""

    @abstractmethod
    def _drop(self, header: dict[str, Any]) -> None:
        """Remove what a killed build left half-sent, if there is such a thing."""

    @abstractmethod
    def _send(self, header: dict[str, Any], batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        """Send ids (n,) and keys (n, d) batch by batch; only when all are there does `_state` return None."""

    @abstractmethod
    def _ask(
        self, queries: np.ndarray, wanted: int, barred: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray] | None, list[np.ndarray] | None]:
        """Search on the server.

        Args:
            queries: (q, d) float32.
            wanted: Candidates per query, at most ``limit``.
            barred: Ids (E,) that the server passes over; mostly empty.

        Returns:
            Per query ids (c,) int64, best first; per query their scores (c,), where the server's are good enough; per
            query their keys (c, d) float32 otherwise, and always where the search is exact.
        """

    @abstractmethod
    def _stored(self, header: dict[str, Any], start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids (n,) int64 and keys (n, d) float32 that the server holds of the ids from ``start`` to before ``stop``,
        in any order."""

    def verify(self) -> list[str]:
        """Read back all keys and compare them with the hash in the pointer.

        Only possible where the ids are 0 to n - 1 in the order in which they were added, as a gallery's are. What the
        server has made of the keys to search by (graphs, lists) is not looked at.
        """
        if not self._saved or not (damage := self._damage(self._saved)):
            return []
        return [f"{self._where}: {self._saved['name']}: {damage}; {self._repair}"]

    @property
    def _repair(self) -> str:
        return "remove it there, then build the gallery again"

    def _damage(self, header: dict[str, Any]) -> str | None:
        """How the stored keys differ from those that were sent; None when they do not, or when it cannot be told."""
        if not header.get("consecutive"):
            return None
        digest, dim = hashlib.sha256(), header["dim"]
        for start, stop in _steps(header["count"], dim):
            ids, keys = self._stored(header, start, stop)
            order = np.argsort(ids)
            if not np.array_equal(ids[order], np.arange(start, stop)) or keys.shape[1:] != (dim,):
                return f"keys of ids {start} to {stop - 1} are missing or there twice"
            digest.update(np.ascontiguousarray(keys[order], np.float32).data)
        hashes = [
            hashlib.sha256(np.arange(header["count"], dtype=np.int64).data).hexdigest(),
            digest.hexdigest(),
        ]
        if self._content(header, hashes) != header["content_sha256"]:
            return "the stored keys have changed since they were sent"
        return None

    def _discard(self, header: dict[str, Any]) -> bool:
        """Remove damaged keys where they can belong to nobody else; whether that was done."""
        return False

    def save(self, path: str | os.PathLike) -> None:
        """Send the keys, unless they are on the server already, then write the pointer."""
        path = Path(path)
        if not len(self):
            raise ValueError(f"{path}: an index without keys cannot be saved")
        if self._spool is None:
            raise ValueError(
                f"{path}: an index on a server is saved where it was built; copy its files instead"
            )
        header = self._header(self._spool)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connect(path, fresh=True)
        problem = self._state(header)
        if problem is None and self._discard(header):
            problem = "absent"
        if problem == "absent":
            self._drop(header)
            self._send(header, self._batches(self._spool))
            problem = self._state(header)
        if problem:
            raise ValueError(
                f"{path}: {header['name']} on the server is not what this build would put there ({problem}); "
                f"remove it there, then build again"
            )
        write_index_file(path, self.magic, _VERSION, header)
        self._saved, self._local = header, None
        self._tidy(header)

    def _tidy(self, header: dict[str, Any]) -> None:
        """Remove what earlier builds left, where it can belong to nobody else."""

    def _header(self, spool: KeySpool) -> dict[str, Any]:
        what = {
            "metric": self.metric,
            "dim": spool.dim,
            "count": len(spool),
            "largest": spool.largest,
            "settings": self.settings,
        }
        content = self._content(what, spool.hashes)
        consecutive = bool(np.array_equal(spool.ids.array, np.arange(len(spool))))
        name = f"procrop_{content[:40]}"
        return {**what, "content_sha256": content, "name": name, "consecutive": consecutive}

    def _content(self, what: dict[str, Any], hashes: list[str]) -> str:
        """Hash of all that is stored: metric, shape, what it is built with, ids and keys."""
        covered = {name: what[name] for name in ("metric", "dim", "count", "largest")}
        built = {name: v for name, v in what["settings"].items() if name not in self.search_settings}
        return sha256_json([_VERSION, {**covered, "settings": built}, hashes])

    @staticmethod
    def _batches(spool: KeySpool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start, stop in _steps(len(spool), spool.dim):
            rows = slice(start, stop)
            yield spool.ids.array[rows], np.array(spool.keys[rows])

    @classmethod
    def open(cls, path: str | os.PathLike) -> "ServerIndex":
        """Read a pointer and make sure that the server holds what it points to."""
        header, _ = read_index_file(path, cls.magic, _VERSION)
        try:
            index = cls(metric=header["metric"], **header["settings"])
            index._connect(Path(path), fresh=False)
            problem = index._state(header)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: its header is damaged ({error!r}); build the gallery again") from error
        if problem:
            raise ValueError(f"{path}: {header['name']} on the server: {problem}; build the gallery again")
        index._saved = header
        return index

    def _nearest(self, queries: np.ndarray, k: int, exclusion: Exclusion) -> tuple[np.ndarray, np.ndarray]:
        if not self._saved:
            if self._local is None:
                self._local = FaissIndex(metric=self.metric)
                self._local._insert(self._spool.ids.array, np.array(self._spool.keys))
            return self._local._nearest(queries, k, exclusion)
        here = exclusion.largest <= _DROPPED_HERE
        surplus = exclusion.largest if here else 0
        if k + surplus > min(self.limit, len(self)):
            surplus, here = 0, not exclusion.largest
        if k > self.limit:
            raise ValueError(
                f"{type(self).__name__} returns at most {self.limit} neighbours of a query, not {k}"
            )
        groups = self._one_group if here else self._groups_by_exclusion
        if not self.is_exact:
            return self._nearest_approximately(queries, k, exclusion, groups, k + surplus)
        known = _Known(self._saved["dim"])

        def propose(block: np.ndarray, wanted: int) -> Proposal:
            wanted = min(wanted, self.limit, len(self))
            rows = np.full((len(block), wanted), -1, np.int64)
            for members, barred in groups(block, exclusion, wanted):
                found, _, keys = self._ask(queries[block[members]], wanted, barred)
                known.add(found, keys)
                for member, ids in zip(members, found, strict=True):
                    rows[member, : len(ids)] = ids
            return Proposal(rows, None, wanted == min(self.limit, len(self)))

        slack = slack_of(queries, self._saved["largest"], self.metric)
        return rank_exactly(
            queries, k, exclusion, self.metric, slack, propose, lambda rows: rows, known.keys_of, surplus
        )

    def _nearest_approximately(
        self, queries: np.ndarray, k: int, exclusion: Exclusion, groups: Callable, wanted: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids and scores (Q, k) of what the server finds, which may be fewer than there are."""
        ids = np.full((len(queries), wanted), -1, np.int64)
        scores = np.full((len(queries), wanted), -np.inf)
        block = np.arange(len(queries))
        for members, barred in groups(block, exclusion, wanted):
            found, near, keys = self._ask(queries[members], wanted, barred)
            for i, member in enumerate(members):
                count = len(found[i])
                ids[member, :count] = found[i]
                scores[member, :count] = self._scores(queries[member], keys[i]) if near is None else near[i]
        ids[exclusion.mask(block, ids)] = -1
        return sort_by_score(ids, scores, k)

    def _scores(self, query: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Exact scores (c,) of a query (d,) with keys (c, d)."""
        rows = np.arange(len(keys))
        return pair_scores(query[None], np.zeros_like(rows), rows, lambda part: keys[part], self.metric)

    def _one_group(
        self, block: np.ndarray, exclusion: Exclusion, wanted: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Members of a block that are asked about together, and what the server passes over for them: nothing."""
        step = max(1, _NUMBERS_AT_ONCE // (wanted * self._saved["dim"]))
        for start in range(0, len(block), step):
            yield np.arange(start, min(start + step, len(block))), np.empty(0, np.int64)

    def _groups_by_exclusion(
        self, block: np.ndarray, exclusion: Exclusion, wanted: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `_one_group`, where the server passes over what is excluded."""
        if exclusion.shared:
            for members, _ in self._one_group(block, exclusion, wanted):
                yield members, exclusion.of(0)
        else:
            for member, query in enumerate(block):
                yield np.array([member]), exclusion.of(query)


def _steps(count: int, dim: int) -> Iterator[tuple[int, int]]:
    """First row, and the one after the last, of what is sent and read back at once."""
    step = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // dim))
    for start in range(0, count, step):
        yield start, min(start + step, count)


class _Known:
    """Keys that came with the candidates of a search."""

    def __init__(self, dim: int) -> None:
        self._ids, self._keys = np.empty(0, np.int64), np.empty((0, dim), np.float32)

    def add(self, ids: list[np.ndarray], keys: list[np.ndarray]) -> None:
        ids, first = np.unique(np.concatenate([self._ids, *ids]), return_index=True)
        self._ids, self._keys = ids, np.concatenate([self._keys, *keys])[first]

    def keys_of(self, ids: np.ndarray) -> np.ndarray:
        return self._keys[np.searchsorted(self._ids, ids)]


def check_uri(uri: str | None, variable: str) -> None:
    """Raise ValueError when a server's address holds a user or a password, which belong into the environment."""
    if uri and "@" in urlsplit(uri).netloc:
        raise ValueError(
            f"uri holds credentials, which would be written into the gallery; put them into {variable} instead"
        )


def with_retry(call: Callable[[], Any], passing: Callable[[Exception], bool], first_wait: float) -> Any:
    """What ``call`` returns, tried up to six times while its errors are of the passing kind; waits double."""
    for attempt in range(6):
        try:
            return call()
        except Exception as error:
            if attempt == 5 or not passing(error):
                raise
            time.sleep(first_wait * 2**attempt)
