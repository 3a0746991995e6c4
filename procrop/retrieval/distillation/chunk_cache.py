"""Rows that are dear to compute, kept on the disk chunk by chunk, so that a killed run goes on."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes
from procrop.io.manifest import sha256_json
from procrop.io.progress import progress

from .photos import DistillPhoto

_CHUNK = 32


def cached_rows(
    folder: Path,
    maker: list,
    photos: Sequence[DistillPhoto],
    make: Callable[[Sequence[DistillPhoto]], np.ndarray],
    desc: str,
) -> np.ndarray:
    """One row per photo, from the cache where it is there.

    A chunk's file is named by what makes it and by the content of its photos, so a file is either right or not looked
    at. The archive's checksum tells damage, and a damaged file is made again.

    Args:
        folder: The cache.
        maker: JSON values: all but the photos that decides a row.
        photos: n photos.
        make: Chunk of photos -> (c, width) rows of one float type.
        desc: What is being done, for the progress bar.

    Returns:
        (n, width) rows.
    """
    rows = []
    chunk: list[DistillPhoto] = []
    for i, photo in enumerate(progress(photos, len(photos), desc), 1):
        chunk.append(photo)
        if len(chunk) < _CHUNK and i < len(photos):
            continue
        path = folder / f"{sha256_json([maker, [p.sha256 for p in chunk]])[:40]}.npz"
        found = _read(path)
        if found is None or len(found) != len(chunk):
            found = make(chunk)
            buffer = io.BytesIO()
            np.savez(buffer, rows=found)
            write_bytes(path, buffer.getvalue())
        rows.append(found)
        chunk = []
    return np.concatenate(rows)


def _read(path: Path) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["rows"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
