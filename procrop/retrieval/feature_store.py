"""Arrays of one shape, appended shard by shard and read through a memory map."""

import hashlib
import io
import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes, write_json
from procrop.io.manifest import sha256_file

STORE_NAME = "store.json"
_VERSION = 1


class FeatureStoreError(ValueError):
    """A store that is absent, damaged, or of another version."""


def write_rows(path: str | os.PathLike, rows: np.ndarray) -> str:
    """Write rows (n, ...) as one ``.npy`` shard, atomically; equal rows give equal bytes.

    Returns:
        Hex SHA-256 of the file.
    """
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(rows), version=(1, 0), allow_pickle=False)
    data = buffer.getbuffer()
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


class FeatureStore:
    """Append-only rows of one shape, in ``.npy`` shards of any number of rows.

    ``store.json`` lists complete shards only: a shard is written whole, then listed. Files that a killed
    process left unlisted are ignored and overwritten by the next `append`. Rows are read through memory maps
    that are opened on first use and are not carried along when the store is pickled to a worker.

    Attributes:
        folder: Where the store is.
        row_shape: Shape of a row, e.g. (m, d_r).
        dtype: Type of the values.
    """

    def __init__(self, folder: Path, row_shape: tuple[int, ...], dtype: np.dtype, shards: list[dict]) -> None:
        self.folder = folder
        self.row_shape = row_shape
        self.dtype = dtype
        self._shards = shards
        self._maps: dict[int, np.ndarray] = {}
        self._set_bounds()

    def _set_bounds(self) -> None:
        self._bounds = list(accumulate((shard["rows"] for shard in self._shards), initial=0))

    @classmethod
    def create(
        cls, folder: str | os.PathLike, row_shape: Sequence[int], dtype: str | np.dtype
    ) -> "FeatureStore":
        """Begin an empty store in ``folder``; one that is there already is forgotten."""
        store = cls(Path(folder), tuple(int(n) for n in row_shape), np.dtype(dtype), [])
        store._write_list()
        return store

    @classmethod
    def assemble(
        cls,
        folder: str | os.PathLike,
        row_shape: Sequence[int],
        dtype: str | np.dtype,
        shards: Iterable[tuple[str, int, str]],
    ) -> "FeatureStore":
        """Make a store of files that are in ``folder`` already, as `write_rows` leaves them.

        Args:
            folder: Where the files are.
            row_shape: Shape of a row.
            dtype: Type of the values.
            shards: (file name, rows, hex SHA-256) in the order of their rows.
        """
        listed = [{"file": file, "rows": rows, "sha256": digest} for file, rows, digest in shards]
        store = cls(Path(folder), tuple(int(n) for n in row_shape), np.dtype(dtype), listed)
        store._write_list()
        return store

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "FeatureStore":
        """Open a store.

        Raises:
            FeatureStoreError: It is absent, its list is damaged, or it is of another version.
        """
        path = Path(folder) / STORE_NAME
        try:
            listing = json.loads(path.read_text(encoding="ascii"))
            version = listing["version"]
            row_shape, dtype = tuple(listing["row_shape"]), np.dtype(listing["dtype"])
            shards = [{k: s[k] for k in ("file", "rows", "sha256")} for s in listing["shards"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FeatureStoreError(f"{path}: cannot be read ({error!r}); build the gallery again") from error
        if version != _VERSION:
            raise FeatureStoreError(
                f"{path}: version {version}, but this program reads {_VERSION}; build it again"
            )
        return cls(Path(folder), row_shape, dtype, shards)

    def __len__(self) -> int:
        return self._bounds[-1]

    @property
    def files(self) -> list[str]:
        """Names of the store's files, relative to its folder."""
        return [STORE_NAME, *(shard["file"] for shard in self._shards)]

    def append(self, rows: np.ndarray) -> None:
        """Write ``rows`` (n, *row_shape), n >= 0, as the next shard.

        Raises:
            ValueError: Another row shape or type than the store's.
            OSError: The disk is full or cannot be written; the store is as before.
        """
        if rows.shape[1:] != self.row_shape or rows.dtype != self.dtype:
            raise ValueError(
                f"{self.folder}: holds rows of {self.dtype} {self.row_shape}, not {rows.dtype} {rows.shape[1:]}"
            )
        name = f"{len(self._shards):05d}.npy"
        digest = write_rows(self.folder / name, rows)
        self._shards.append({"file": name, "rows": len(rows), "sha256": digest})
        self._set_bounds()
        self._write_list()

    def _write_list(self) -> None:
        write_json(
            self.folder / STORE_NAME,
            {
                "version": _VERSION,
                "row_shape": list(self.row_shape),
                "dtype": self.dtype.name,
                "shards": self._shards,
            },
        )

    def read(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """Copy rows out of the store.

        Args:
            rows: (n,) integers in [0, len(self)), in any order, repeats allowed.

        Returns:
            (n, *row_shape) array of the store's type.

        Raises:
            IndexError: A row outside the store.
            FeatureStoreError: A shard is missing or cut short.
        """
        wanted = np.asarray(rows, np.int64).reshape(-1).tolist()
        out = np.empty((len(wanted), *self.row_shape), self.dtype)
        start = 0
        while start < len(wanted):
            row = wanted[start]
            if not 0 <= row < self._bounds[-1]:
                raise IndexError(f"{self.folder}: no row {row}; the store holds {len(self)} rows")
            shard = bisect_right(self._bounds, row) - 1
            first, beyond = self._bounds[shard], self._bounds[shard + 1]
            # rows that lie side by side are copied at once, straight to their place
            end = start + 1
            while end < len(wanted) and wanted[end] == wanted[end - 1] + 1 < beyond:
                end += 1
            out[start:end] = self._map(shard)[row - first : row - first + end - start]
            start = end
        return out

    def read_all(self) -> np.ndarray:
        """All rows, (len(self), *row_shape)."""
        return self.read(np.arange(len(self)))

    def _map(self, shard: int) -> np.ndarray:
        if shard not in self._maps:
            entry = self._shards[shard]
            path = self.folder / entry["file"]
            try:
                # a shard without rows cannot be mapped
                mapped = np.load(path, mmap_mode="r" if entry["rows"] else None, allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise FeatureStoreError(
                    f"{path}: missing or cut short ({error}); build the gallery again"
                ) from error
            if mapped.shape != (entry["rows"], *self.row_shape) or mapped.dtype != self.dtype:
                raise FeatureStoreError(
                    f"{path}: holds {mapped.dtype} {mapped.shape}, not what the list says"
                )
            # a plain view: slices of a memmap object cost several times as much
            self._maps[shard] = np.asarray(mapped)
        return self._maps[shard]

    def verify(self) -> list[str]:
        """Check the bytes of all shards; one line per damaged file."""
        return [problem for problem in map(self._check_shard, self._shards) if problem]

    def _check_shard(self, shard: dict) -> str | None:
        path = self.folder / shard["file"]
        if not path.is_file():
            return f"{path}: missing"
        if sha256_file(path) != shard["sha256"]:
            return f"{path}: its bytes have changed since it was written (SHA-256 differs)"
        return None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_maps": {}}
