"""Nearest gallery photos of a dataset's photos, found once and read while training."""

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from procrop.io.atomic import write_bytes
from procrop.io.photo import read_photo
from procrop.io.progress import progress

from .gallery import Gallery
from .own_photos import own_photo_ids

_VERSION = 1
_CHUNK = 32
_REBUILD = "python tools/neighbours.py CONFIG"


class NeighbourTableError(ValueError):
    """A table that is absent, damaged, of another version, or made for another gallery."""


class Query(NamedTuple):
    """A photo to find neighbours for.

    Attributes:
        query_id: Name of the photo in its dataset (``img_id``).
        source_id: Its source; gallery photos of the same source are not returned.
        path: Where the photo is.
    """

    query_id: str
    source_id: str
    path: str | os.PathLike


@dataclass
class NeighbourTable:
    """Per query K gallery ids and scores, best first.

    Attributes:
        query_ids: Q names, each once.
        ids: (Q, K) int64; -1 pads rows of queries that have fewer neighbours (a small gallery).
        scores: (Q, K) float32 similarities; 0 in the padding.
        gallery_fingerprint: `Gallery.fingerprint` of the gallery searched.
        gallery_sha256: `Gallery.content_sha256` of it: ids mean rows of exactly that gallery.
        rejected: (query id, reason) of photos that could not be read; not saved.
    """

    query_ids: Sequence[str]
    ids: np.ndarray
    scores: np.ndarray
    gallery_fingerprint: str
    gallery_sha256: str = ""
    rejected: list[tuple[str, str]] = field(default_factory=list)
    path: str | None = None

    def __post_init__(self) -> None:
        self.query_ids = [str(name) for name in self.query_ids]
        self.ids = np.asarray(self.ids, np.int64)
        self.scores = np.asarray(self.scores, np.float32)
        if self.ids.ndim != 2 or self.ids.shape != self.scores.shape or len(self.ids) != len(self.query_ids):
            raise NeighbourTableError(
                f"{self._name}: {len(self.query_ids)} queries do not fit ids {self.ids.shape} and "
                f"scores {self.scores.shape}; {self._remedy}"
            )
        self._rows = {name: i for i, name in enumerate(self.query_ids)}
        if len(self._rows) != len(self.query_ids):
            raise NeighbourTableError(f"{self._name}: a query is listed twice; {self._remedy}")
        if not np.isfinite(self.scores).all():
            raise NeighbourTableError(f"{self._name}: a score is not a number; {self._remedy}")

    @property
    def _name(self) -> str:
        return self.path or "neighbour table"

    @property
    def _remedy(self) -> str:
        return f"build it again: {_REBUILD}"

    def __len__(self) -> int:
        return len(self.query_ids)

    def __contains__(self, query_id: str) -> bool:
        return query_id in self._rows

    @property
    def k(self) -> int:
        """Neighbours kept per query."""
        return self.ids.shape[1]

    def lookup(self, query_id: str, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest gallery photos of a query.

        Returns:
            ids (k',) int64 and scores (k',) float32, best first; k' < k only where the gallery had no more.

        Raises:
            NeighbourTableError: The query is not in the table, or the table keeps fewer than k.
        """
        row = self._rows.get(query_id)
        if row is None:
            raise NeighbourTableError(f"{self._name}: no neighbours of {query_id!r} in it; {self._remedy}")
        if k > self.k:
            raise NeighbourTableError(
                f"{self._name}: keeps {self.k} neighbours, {k} wanted; {_REBUILD} --k {k}"
            )
        ids = self.ids[row, :k]
        found = int((ids >= 0).sum())
        return ids[:found], self.scores[row, :found]

    def check(self, gallery: Gallery) -> "NeighbourTable":
        """Make sure that the ids are those of ``gallery``.

        Raises:
            NeighbourTableError: The table was made with another encoder or for other photos.
        """
        if self.gallery_fingerprint != gallery.fingerprint:
            raise NeighbourTableError(
                f"{self._name}: made with another encoder than the gallery {gallery.folder}; {self._remedy}"
            )
        if self.gallery_sha256 and self.gallery_sha256 != gallery.content_sha256:
            raise NeighbourTableError(
                f"{self._name}: the gallery {gallery.folder} was rebuilt from other photos since; {self._remedy}"
            )
        return self

    @classmethod
    def build(
        cls, queries: Iterable[Query | tuple[str, str, str]], gallery: Gallery, k: int
    ) -> "NeighbourTable":
        """Search the gallery for every query.

        Neither a gallery photo of the query's source is taken, nor a copy of one under another name, nor one with the
        very bytes of the query's file, nor one of that photo's source. Queries that cannot be read are set aside in
        ``rejected``.

        Args:
            queries: Photos with their ids and sources.
            gallery: Where to search.
            k: Neighbours to keep per query, at least 1.

        Raises:
            NeighbourTableError: k < 1, no query, none readable, or a query id given twice for different
                photos.
        """
        if k < 1:
            raise NeighbourTableError(f"k must be at least 1, not {k}")
        queries = _distinct(queries)
        encoder = gallery.query_encoder
        names, rows, rejected = [], [], []
        chunk: list[tuple[Query, np.ndarray]] = []
        for i, query in enumerate(progress(queries, desc="neighbours"), 1):
            try:
                chunk.append((query, encoder.prepare(read_photo(query.path))))
            except (OSError, ValueError) as error:
                rejected.append((query.query_id, str(error)))
            if chunk and (len(chunk) == _CHUNK or i == len(queries)):
                keys = gallery.query_keys([image for _, image in chunk])
                names += [query.query_id for query, _ in chunk]
                rows += _search_all(gallery, [query for query, _ in chunk], keys, k)
                chunk = []
        if not names:
            reason = f"; first: {rejected[0][1]}" if rejected else ""
            raise NeighbourTableError(
                f"no query photo to search for ({len(rejected)} cannot be read{reason})"
            )
        ids, scores = (np.stack(column) for column in zip(*rows, strict=True))
        return cls(names, ids, scores, gallery.fingerprint, gallery.content_sha256, rejected)

    def save(self, path: str | os.PathLike) -> None:
        """Write the table to one ``.npz`` file, atomically and without pickle."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            version=np.int64(_VERSION),
            query_ids=np.array(self.query_ids, np.str_),
            ids=self.ids,
            scores=self.scores,
            gallery=np.array([self.gallery_fingerprint, self.gallery_sha256], np.str_),
        )
        write_bytes(path, buffer.getvalue())
        self.path = os.fspath(path)

    @classmethod
    def open(cls, path: str | os.PathLike, gallery: Gallery | None = None) -> "NeighbourTable":
        """Read a table; with ``gallery``, also `check` that it belongs to it.

        Raises:
            NeighbourTableError: It is absent, damaged, of another version, or of another gallery.
        """
        import zipfile

        name = os.fspath(path)
        try:
            # every member is read to its end, which verifies the archive's checksums
            with np.load(Path(path), allow_pickle=False) as file:
                data = {key: file[key] for key in file.files}
            version = int(data["version"])
            fingerprint, content = (str(v) for v in data["gallery"])
            columns = [data["query_ids"], data["ids"], data["scores"]]
        except FileNotFoundError:
            raise NeighbourTableError(f"{name}: not found; build it: {_REBUILD}") from None
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            raise NeighbourTableError(f"{name}: damaged ({error}); build it again: {_REBUILD}") from error
        if version != _VERSION:
            raise NeighbourTableError(
                f"{name}: version {version}, but this program reads {_VERSION}; build it again: {_REBUILD}"
            )
        table = cls(*columns, fingerprint, content, path=name)
        return table.check(gallery) if gallery is not None else table


def _distinct(queries: Iterable[Query | tuple[str, str, str]]) -> list[Query]:
    """Drop repeats; a name used for two different photos is an error."""
    distinct: dict[str, Query] = {}
    for entry in queries:
        query = Query(*entry)
        before = distinct.setdefault(query.query_id, query)
        if os.path.abspath(before.path) != os.path.abspath(query.path):
            raise NeighbourTableError(
                f"{query.query_id!r} names two photos, {before.path} and {query.path}; give each dataset its own table"
            )
    return list(distinct.values())


def _search_all(
    gallery: Gallery, queries: Sequence[Query], keys: np.ndarray, k: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each query's row: ids (k,) padded with -1, scores (k,) padded with 0."""
    barred = [_barred(gallery, query) for query in queries]
    ids, scores = gallery.search_keys(keys, k, barred)
    if ids.shape[1] == k:
        return list(zip(ids, scores, strict=True))
    # together they are cut to what the poorest of them has
    rows = []
    for key, own in zip(keys, barred, strict=True):
        ids, scores = gallery.search_keys(key[None], k, [own])
        padding = (0, k - ids.shape[1])
        rows.append((np.pad(ids[0], padding, constant_values=-1), np.pad(scores[0], padding)))
    return rows


def _barred(gallery: Gallery, query: Query) -> np.ndarray:
    """Ids (E,) int64 of the gallery photos that are a query, or of its source by its name or by its content.

    A copy of the source photo in the gallery has another name, and the query other bytes; both are the source.
    """
    source = gallery.ids_of([query.source_id])
    copies = [gallery.ids_by_sha256[gallery.records[i].sha256] for i in source]
    return np.concatenate([source, *copies, own_photo_ids(gallery, query.path)]).astype(np.int64)
