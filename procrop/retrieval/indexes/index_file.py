"""The file of an index: a line that names the format, a line of JSON about the content, the content."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from procrop.io.atomic import atomic_write

_HEADER_LIMIT = 1 << 16
_REMEDY = "build the gallery again"


def write_index_file(
    path: str | os.PathLike, magic: bytes, version: int, header: dict, payload: Sequence[np.ndarray] = ()
) -> None:
    """Write an index atomically.

    Args:
        path: Where.
        magic: First line, with its newline.
        version: Version of the format.
        header: Plain values that describe the content; part of the checksum.
        payload: Contiguous arrays, written one after the other.

    Raises:
        OSError: The disk is full or the folder cannot be written; a file already there is left as it was.
    """
    digest = _hash_of(header)
    for part in payload:
        digest.update(part.data)
    line = json.dumps(
        {**header, "version": version, "sha256": digest.hexdigest()}, sort_keys=True, ensure_ascii=True
    )
    with atomic_write(path) as file:
        file.write(magic + line.encode("ascii") + b"\n")
        for part in payload:
            file.write(part.data)


def read_index_file(path: str | os.PathLike, magic: bytes, version: int) -> tuple[dict, np.ndarray]:
    """Read an index and verify its checksum.

    Returns:
        The header as it was given to `write_index_file`, and the payload (n,) uint8, memory-mapped.

    Raises:
        ValueError: The file is absent, damaged, of another format or another version.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            found, line = file.read(len(magic)), file.readline(_HEADER_LIMIT)
            start = file.tell()
        payload = np.empty(0, np.uint8)
        if path.stat().st_size > start:
            payload = np.memmap(path, np.uint8, "r", offset=start)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from error
    if found != magic:
        raise ValueError(f"{path}: not written by {_writer(magic)} (wrong magic bytes); {_REMEDY}")
    try:
        header = json.loads(line)
        made_by, written = header.pop("version"), header.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its header is damaged ({error}); {_REMEDY}") from error
    if made_by != version:
        raise ValueError(f"{path}: written as version {made_by}, but this program reads {version}; {_REMEDY}")
    digest = _hash_of(header)
    digest.update(payload.data)
    if digest.hexdigest() != written:
        raise ValueError(f"{path}: its bytes have changed since it was written; {_REMEDY}")
    return header, payload


def _writer(magic: bytes) -> str:
    return magic.decode("ascii").strip()


def _hash_of(header: dict) -> "hashlib._Hash":
    return hashlib.sha256(json.dumps(header, sort_keys=True, ensure_ascii=True).encode("ascii"))
