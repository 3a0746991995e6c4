"""Files that are either whole or absent: write beside the target, flush to the disk, then rename over it."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file in the target's folder; it becomes ``path`` when the block ends without an error.

    Parent folders are made. On an error (a full disk included: ``fsync`` reports what a plain write may not)
    the temporary file is removed and a file already at ``path`` is left as it was.

    Args:
        path: Where the finished file shall be.
        mode: ``"wb"`` or ``"w"`` (UTF-8, newlines written as given).

    Yields:
        The open temporary file.

    Raises:
        ValueError: ``mode`` is not one of the two.
        OSError: The folder cannot be made or written, or the disk is full; the message names the file.
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"atomic_write can only replace whole files: mode must be 'wb' or 'w', not {mode!r}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    text_options = {} if mode == "wb" else {"encoding": "utf-8", "newline": ""}
    try:
        with open(temporary, mode, **text_options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def temporary_name(path: Path) -> Path:
    """The name under which this process writes ``path`` before it is finished (same folder, hidden)."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut; does nothing where folders cannot be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems refuse this; the rename itself has still happened
    finally:
        os.close(handle)


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write ``text`` to ``path`` atomically as UTF-8."""
    with atomic_write(path, "w") as file:
        file.write(text)


def write_many(files: Iterable[tuple[str | os.PathLike, bytes]]) -> None:
    """Write many files, each of them whole or absent, and wait for the disk once instead of once a file.

    No target is touched before all of them have reached the disk. Of two entries of one path, the later counts.

    Args:
        files: (path, content), taken one by one; parent folders are made.

    Raises:
        OSError: As :func:`atomic_write`; the temporary files are removed.
    """
    pending: dict[Path, Path] = {}
    folders: set[Path] = set()
    try:
        for path, data in files:
            path = Path(path)
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
            pending[path] = temporary_name(path)
            pending[path].write_bytes(data)
        os.sync()
        for temporary in pending.values():
            _flush(temporary)  # nothing is left to wait for, but an error of the disk is told here alone
        for path, temporary in pending.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in pending.values():
            temporary.unlink(missing_ok=True)
        raise
    for folder in folders:
        sync_folder(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str | os.PathLike, obj: Any) -> None:  # noqa: ANN401 (any JSON value)
    """Write ``obj`` to ``path`` atomically as indented JSON with sorted keys: equal objects give equal bytes.

    Raises:
        ValueError: ``obj`` holds NaN or an infinity, which JSON cannot.
    """
    write_bytes(path, json_bytes(obj))


def json_bytes(obj: Any) -> bytes:  # noqa: ANN401 (any JSON value)
    """The content that `write_json` gives a file."""
    text = json.dumps(obj, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"
    return text.encode("ascii")
