"""Tiny grey pictures of photos: nearly equal for copies that were scaled or encoded anew."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from procrop.io.photo import PhotoError, read_photo
from procrop.io.progress import progress

SIDE = 16
_VERSION = 1
_BATCH = 32


def thumbnail(photo: np.ndarray) -> np.ndarray:
    """Mean grey values of a photo in 16 x 16 fields, whatever its shape.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (256,) uint16, row by row, in 1/257 of a grey level of 8 bits.
    """
    # in two steps, so that no copy of the photo in floats is needed
    grey = Image.fromarray(photo).convert("L").resize((8 * SIDE, 8 * SIDE), Image.Resampling.BOX)
    small = np.asarray(grey, np.float64).reshape(SIDE, 8, SIDE, 8).mean(axis=(1, 3))
    return np.rint(small * 257).astype(np.uint16).reshape(-1)


def read_thumbnails(
    paths: Sequence[Path], cache: "ThumbnailCache | None" = None, workers: int = 2, desc: str = "photos"
) -> Iterator[np.ndarray | PhotoError]:
    """Thumbnail of each photo, or the error that says why it has none; photos that the cache knows are not read.

    Args:
        paths: The photos.
        cache: Keeps thumbnails between runs.
        workers: Threads that read photos.
        desc: What the progress bar says.
    """
    yield from progress(_read_in_batches(list(paths), cache, workers), len(paths), desc)


def _read_in_batches(
    paths: list[Path], cache: "ThumbnailCache | None", workers: int
) -> Iterator[np.ndarray | PhotoError]:
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for start in range(0, len(paths), _BATCH):
            batch = paths[start : start + _BATCH]
            found = {path: cache.get(path) for path in batch} if cache is not None else dict.fromkeys(batch)
            unread = [path for path, known in found.items() if known is None]
            for path, result in zip(unread, pool.map(_read, unread), strict=True):
                found[path] = result
                if cache is not None and not isinstance(result, PhotoError):
                    cache.put(path, result)
            if cache is not None:
                cache.commit()
            yield from (found[path] for path in batch)


def _read(path: Path) -> np.ndarray | PhotoError:
    try:
        return thumbnail(read_photo(path))
    except PhotoError as error:
        return error


class ThumbnailCache:
    """Thumbnails in one file, so that a photo is read once over all runs; use it as a context manager.

    A thumbnail counts for as long as its photo's path, length and time of change are the same.

    Args:
        path: The file (SQLite); made where there is none.

    Raises:
        ValueError: The file is no such cache, or cannot be written.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=60)
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                self._renew()
        except (sqlite3.Error, OSError) as error:
            raise ValueError(
                f"{self.path}: not a cache of thumbnails, or not writable ({error}); remove it or name another file"
            ) from error

    def __enter__(self) -> "ThumbnailCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit()
        self._base.close()

    def _renew(self) -> None:
        tables = [row[0] for row in self._base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if set(tables) - {"thumbnails"}:
            raise sqlite3.DatabaseError("it holds other tables")
        self._base.execute("DROP TABLE IF EXISTS thumbnails")
        self._base.execute(
            "CREATE TABLE thumbnails (path BLOB PRIMARY KEY, bytes INTEGER, mtime INTEGER, data BLOB)"
        )
        self._base.execute(f"PRAGMA user_version = {_VERSION}")
        self._base.commit()

    def get(self, path: Path) -> np.ndarray | None:
        """The thumbnail of the photo as it is now; None when it is not known."""
        try:
            key, length, changed = _state(path)
        except OSError:
            return None
        row = self._base.execute(
            "SELECT data FROM thumbnails WHERE path = ? AND bytes = ? AND mtime = ?", (key, length, changed)
        ).fetchone()
        return None if row is None else np.frombuffer(row[0], "<u2").astype(np.uint16)

    def put(self, path: Path, data: np.ndarray) -> None:
        """Keep the thumbnail (256,) uint16 of a photo."""
        try:
            state = _state(path)
        except OSError:  # gone meanwhile
            return
        self._base.execute(
            "INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?, ?)", (*state, data.astype("<u2").tobytes())
        )

    def commit(self) -> None:
        """Write what was put so far."""
        self._base.commit()


def _state(path: Path) -> tuple[bytes, int, int]:
    status = os.stat(path)
    return os.fsencode(os.path.abspath(path)), status.st_size, status.st_mtime_ns
