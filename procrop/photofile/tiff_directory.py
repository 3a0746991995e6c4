"""Directories of tags, taken out of EXIF blocks and TIFF files and put into others."""

import struct

import numpy as np

from procrop.photofile.exif_block import EXIF_IFD, VALUE_SIZES, ExifBlock

GPS_IFD, INTEROP_IFD = 0x8825, 0xA005
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
# tag -> (type, value as little-endian bytes), or a directory that the tag points to
Directory = dict[int, "tuple[int, bytes] | Directory"]

_HEADER = b"II*\0\x08\0\0\0"
# length of the numbers in a value whose bytes have an order
_UNITS = {3: 2, 8: 2, 4: 4, 9: 4, 5: 4, 10: 4, 11: 4, 13: 4, 12: 8}
_NESTED = {0: (EXIF_IFD, GPS_IFD), EXIF_IFD: (INTEROP_IFD,)}


def read_directory(block: ExifBlock, ifd: int, within: int = 0) -> Directory:
    """The directory at a place of a block, with the EXIF and GPS directories in it.

    Raises:
        ValueError: the directory is broken, or its values have more bytes than the block: they lie over one another.
    """
    directory: Directory = {}
    entries = block.entries(ifd)
    if sum(VALUE_SIZES.get(entry.kind, 1) * entry.count for entry in entries) > len(block.data):
        raise ValueError("the values of a directory lie over one another")
    for entry in entries:
        if entry.tag in _NESTED.get(within, ()):
            directory[entry.tag] = read_directory(block, block.number(entry.place + 8), entry.tag)
        elif entry.kind in VALUE_SIZES:
            value = block.raw(entry)
            unit = _UNITS.get(entry.kind, 1)
            if unit > 1 and block.order == ">":
                value = np.frombuffer(value, dtype=f">u{unit}").astype(f"<u{unit}").tobytes()
            directory[entry.tag] = (entry.kind, value)
    return directory


def write_directory(directory: Directory, start: int) -> bytes:
    """A little-endian directory that is to lie at ``start``, followed by what it points to."""
    entries, behind = [], b""
    place = start + 2 + 12 * len(directory) + 4
    for tag, value in sorted(directory.items()):
        if isinstance(value, dict):
            kind, count, data = LONG, 1, write_directory(value, place + len(behind))
        else:
            kind, data = value
            count = len(data) // VALUE_SIZES[kind]
        if len(data) <= 4 and not isinstance(value, dict):
            field = data.ljust(4, b"\0")
        else:
            field = struct.pack("<I", place + len(behind))
            behind += data + bytes(len(data) % 2)
        entries.append(struct.pack("<HHI", tag, kind, count) + field)
    return struct.pack("<H", len(directory)) + b"".join(entries) + bytes(4) + behind


def to_block(directory: Directory) -> bytes:
    """An EXIF block of one directory."""
    return _HEADER + write_directory(directory, len(_HEADER))


def numbers(value: tuple[int, bytes]) -> list[int]:
    """The integers of a BYTE, SHORT or LONG value."""
    return np.frombuffer(value[1], dtype=f"<u{VALUE_SIZES[value[0]]}").tolist()


def tiff_with_tags(tiff: bytes, tags: Directory) -> bytes:
    """Add tags to an encoded TIFF of one page in strips, in front of its pixels; they replace those that it has.

    Raises:
        ValueError: it is no such file.
    """
    block = ExifBlock(tiff)
    layout = {tag: value for tag, value in read_directory(block, block.number(4)).items() if tag not in tags}
    if not {273, 279} <= set(layout):
        raise ValueError("the encoder wrote no strips")
    offsets, lengths = numbers(layout[273]), numbers(layout[279])
    strips = [tiff[offset : offset + length] for offset, length in zip(offsets, lengths, strict=True)]
    directory: Directory = {**layout, **tags, 273: (LONG, bytes(4 * len(strips)))}
    start = len(to_block(directory))  # the same whatever the offsets are
    places = start + np.cumsum([0, *lengths[:-1]])
    directory[273] = (LONG, places.astype("<u4").tobytes())
    return b"".join([to_block(directory), *strips])
