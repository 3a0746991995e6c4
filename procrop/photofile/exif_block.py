"""EXIF of a crop, corrected in place.

Maker notes hold offsets that count from the start of the block, so a block that is taken apart and written anew breaks
them. Here nothing changes its place.
"""

import struct
from dataclasses import dataclass

VALUE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG = 3, 4
ORIENTATION, EXIF_IFD, MAKER_NOTE = 0x0112, 0x8769, 0x927C
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
_SUBJECTS = (0x9214, 0xA214)  # SubjectArea, SubjectLocation: places in the whole photo
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202


@dataclass(frozen=True)
class Entry:
    """Where a tag lies."""

    tag: int
    kind: int
    count: int
    place: int  # of the entry's 12 bytes in the block


class ExifBlock:
    """The directories of one block, or of a TIFF file; ValueError where they make no sense.

    Attributes:
        data: the bytes, from the TIFF header on.
        order: "<" or ">", as :mod:`struct` writes byte orders.
    """

    def __init__(self, block: bytes) -> None:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]))
        if order is None:
            raise ValueError("no TIFF header")
        self.data, self.order = bytearray(block), order

    def number(self, place: int, kind: int = _LONG) -> int:
        """The SHORT or LONG at a place."""
        if not 0 <= place <= len(self.data) - VALUE_SIZES[kind]:
            raise ValueError(f"offset {place} lies outside")
        return struct.unpack_from(self.order + {_SHORT: "H", _LONG: "I"}[kind], self.data, place)[0]

    def raw(self, entry: Entry) -> bytes:
        """The bytes of a value, in the block's byte order."""
        length = VALUE_SIZES.get(entry.kind, 1) * entry.count
        place = entry.place + 8 if length <= 4 else self.number(entry.place + 8)
        return bytes(self.data[place : place + length])

    def put(self, place: int, kind: int, value: int) -> None:
        """Write a SHORT or LONG to a place."""
        struct.pack_into(self.order + {_SHORT: "H", _LONG: "I"}[kind], self.data, place, value)

    def entries(self, ifd: int) -> list[Entry]:
        """The tags of the directory at a place."""
        count = self.number(ifd, _SHORT)
        if ifd < 8 or ifd + 2 + 12 * count > len(self.data):
            raise ValueError(f"a directory of {count} entries at {ifd} does not fit")
        places = range(ifd + 2, ifd + 2 + 12 * count, 12)
        entries = [
            Entry(self.number(p, _SHORT), self.number(p + 2, _SHORT), self.number(p + 4), p) for p in places
        ]
        for entry in entries:
            length = VALUE_SIZES.get(entry.kind, 1) * entry.count
            if length > 4 and self.number(entry.place + 8) + length > len(self.data):
                raise ValueError(f"the value of tag {entry.tag:#06x} lies outside")
        return entries

    def next_ifd(self, ifd: int) -> int:
        """Where the offset of the following directory stands; 0 where the block ends before it."""
        place = ifd + 2 + 12 * self.number(ifd, _SHORT)
        return place if place + 4 <= len(self.data) else 0

    def set_short(self, entry: Entry, value: int) -> None:
        """Give a tag one SHORT as its value."""
        self.data[entry.place + 2 : entry.place + 12] = struct.pack(self.order + "HIHH", _SHORT, 1, value, 0)

    def set_long(self, entry: Entry, value: int) -> None:
        """Give a tag one LONG as its value."""
        self.data[entry.place + 2 : entry.place + 12] = struct.pack(self.order + "HII", _LONG, 1, value)

    def remove(self, ifd: int, tags: tuple[int, ...]) -> None:
        """Take entries out of a directory; the following ones move up, the values they point to stay."""
        for entry in reversed([entry for entry in self.entries(ifd) if entry.tag in tags]):
            end = ifd + 2 + 12 * self.number(ifd, _SHORT) + 4
            rest = bytes(self.data[entry.place + 12 : end])
            self.data[entry.place : entry.place + len(rest) + 12] = rest + bytes(12)
            self.put(ifd, _SHORT, self.number(ifd, _SHORT) - 1)


def crop_exif(block: bytes, size: tuple[int, int]) -> bytes:
    """Correct a block for a crop that stands upright.

    The orientation becomes 1, pixel dimensions become those of the crop, the place of the subject and the thumbnail go.
    All other bytes stay as and where they are.

    Args:
        block: from the TIFF header on.
        size: (width, height) of the crop.

    Raises:
        ValueError: the block is broken.
    """
    exif = ExifBlock(block)
    ifd0 = exif.number(4)
    _correct(exif, ifd0, size)
    for entry in exif.entries(ifd0):
        if entry.tag == EXIF_IFD:
            _correct(exif, exif.number(entry.place + 8), size)
    _drop_thumbnail(exif, exif.next_ifd(ifd0))
    return bytes(exif.data)


def _correct(exif: ExifBlock, ifd: int, size: tuple[int, int]) -> None:
    for entry in exif.entries(ifd):
        if entry.tag == ORIENTATION:
            exif.set_short(entry, 1)
        elif entry.tag in _WIDTHS:
            exif.set_long(entry, size[0])
        elif entry.tag in _HEIGHTS:
            exif.set_long(entry, size[1])
    exif.remove(ifd, _SUBJECTS)


def _drop_thumbnail(exif: ExifBlock, pointer: int) -> None:
    ifd1 = exif.number(pointer) if pointer else 0
    if not ifd1:
        return
    exif.put(pointer, _LONG, 0)
    try:
        values = {entry.tag: exif.number(entry.place + 8) for entry in exif.entries(ifd1)}
    except ValueError:  # nothing says where a thumbnail lies; a reader does not find it either
        return
    exif.put(ifd1, _SHORT, 0)
    start, length = values.get(_THUMBNAIL_OFFSET, 0), values.get(_THUMBNAIL_LENGTH, 0)
    if start < 8 or not length:
        return
    end = min(start + length, len(exif.data))
    exif.data[start:end] = bytes(max(0, end - start))
    if end == len(exif.data) and ifd1 < start:  # the usual case: it is the last thing in the block
        del exif.data[start:]
