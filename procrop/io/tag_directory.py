"""Tags of TIFF files and EXIF blocks that claim more bytes than there are.

Pillow copies the value of every tag when it opens a file. Values may lie over one another, so that a file of 400 kB can
ask for six gigabytes.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_HEADERS = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
_MOST_PAGES = 100_000


def claims_too_much(file: BinaryIO | bytes) -> bool:
    """Whether the values of a directory have more bytes than the whole file, or block.

    Args:
        file: a file at its beginning, which is where it is left; or a block, from its TIFF header on. What is no TIFF
            claims nothing.
    """
    file = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        file.seek(0, io.SEEK_END)
        whole = file.tell()
        return any(claimed > whole for claimed in _claims(file))
    finally:
        file.seek(0)


def _claims(file: BinaryIO) -> Iterator[int]:
    """Bytes that each directory claims, one after the other."""
    file.seek(0)
    header = file.read(16)
    if header[:4] not in _HEADERS:
        return
    order, big = _HEADERS[header[:4]]
    # of BigTIFF counts and places have 8 bytes
    entry, count, place = ("HHQ8x", "Q", "Q") if big else ("HHI4x", "H", "I")
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + place, header, 8 if big else 4)
        while at and at not in seen and len(seen) < _MOST_PAGES:
            seen.add(at)
            file.seek(at)
            (tags,) = struct.unpack(order + count, file.read(struct.calcsize(count)))
            size = struct.calcsize(order + entry)
            entries = file.read(min(tags, 65535) * size)
            values = struct.iter_unpack(order + entry, entries[: len(entries) // size * size])
            yield sum(_SIZES.get(kind, 1) * number for _, kind, number in values)
            (at,) = struct.unpack(order + place, file.read(struct.calcsize(place)))
    except (struct.error, OSError, OverflowError):  # cut off: whoever reads it will see
        return
