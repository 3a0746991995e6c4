"""What a TIFF file says beside its pixels, in the common form of metadata."""

import struct
from fractions import Fraction

from procrop.photofile.exif_block import EXIF_IFD, MAKER_NOTE, ORIENTATION, ExifBlock
from procrop.photofile.metadata import Metadata
from procrop.photofile.tiff_directory import (
    ASCII,
    BYTE,
    GPS_IFD,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Directory,
    read_directory,
    to_block,
)

_DESCRIPTION, _X, _Y, _UNIT = 270, 282, 283, 296
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
# what describes the photo, not the layout of its pixels nor their place in a larger picture
_DESCRIPTIVE = {
    *(269, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, _DESCRIPTION, _X, _Y, _UNIT),
    *range(40091, 40096),
    *(EXIF_IFD, GPS_IFD),
}
_OWN_PLACE = {_XMP, _IPTC, _PHOTOSHOP, _ICC}
# layout: the encoder writes it anew
_LAYOUT = {
    *(
        254,
        255,
        256,
        257,
        258,
        259,
        262,
        263,
        264,
        265,
        266,
        273,
        274,
        277,
        278,
        279,
        280,
        281,
        284,
        292,
        293,
        297,
    ),
    *(317, 320, 322, 323, 324, 325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532),
}
_STACKS = (
    b'{"shape"',
    b"ImageJ=",
    b"<?xml",
)  # descriptions that programs write of the layout of their stacks


def read_tiff_metadata(tiff: bytes, profile: bytes | None = None) -> Metadata:
    """Of a TIFF file's first page.

    Args:
        tiff: the file.
        profile: its colour profile as Pillow knows it, for files whose directories are not read here.
    """
    try:
        block = ExifBlock(tiff)
        tags = read_directory(block, block.number(4))
    except (ValueError, struct.error, RecursionError):
        return Metadata(icc=profile, left_out=("tags of a BigTIFF, or broken ones",))
    lost = [f"TIFF tag {tag}" for tag in tags if tag not in _DESCRIPTIVE | _OWN_PLACE | _LAYOUT]
    kept = {tag: value for tag, value in tags.items() if tag in _DESCRIPTIVE}
    if kept.get(_DESCRIPTION, (0, b""))[1].startswith(_STACKS):
        del kept[_DESCRIPTION]
    kept = _without_maker_note(kept, lost)
    data = {tag: tags[tag][1] for tag in _OWN_PLACE if tag in tags}
    return Metadata(
        icc=data.get(_ICC),
        exif=to_block(kept) if kept else None,
        xmp=data.get(_XMP),
        photoshop=data.get(_PHOTOSHOP),
        iptc=data.get(_IPTC),
        density=_density(kept),
        left_out=tuple(lost),
    )


def _without_maker_note(tags: Directory, lost: list[str]) -> Directory:
    """Its offsets count from the start of the file that it was written for."""
    if MAKER_NOTE not in tags.get(EXIF_IFD, {}):
        return tags
    lost.append("maker note")
    return {**tags, EXIF_IFD: {tag: value for tag, value in tags[EXIF_IFD].items() if tag != MAKER_NOTE}}


def _density(tags: Directory) -> tuple[int, int, int] | None:
    try:
        x, y = (Fraction(*struct.unpack("<II", tags[tag][1])) for tag in (_X, _Y))
        unit = struct.unpack("<H", tags[_UNIT][1])[0] - 1 if _UNIT in tags else 1
    except (KeyError, ZeroDivisionError, struct.error):
        return None
    good = unit in (0, 1, 2) and all(0 < round(value) < 65536 for value in (x, y))
    return (unit, round(x), round(y)) if good else None


def tags_of(metadata: Metadata) -> tuple[Directory, list[str]]:
    """The tags that a TIFF file gets, and the names of what cannot be one."""
    tags, lost = _described(metadata)
    for tag, kind, data in (
        (_XMP, BYTE, metadata.xmp),
        (_IPTC, UNDEFINED, metadata.iptc),
        (_PHOTOSHOP, UNDEFINED, metadata.photoshop),
        (_ICC, UNDEFINED, metadata.icc),
    ):
        if data:
            tags[tag] = (kind, data)
    if metadata.comment and _DESCRIPTION not in tags:
        tags[_DESCRIPTION] = (ASCII, metadata.comment.rstrip(b"\0") + b"\0")
    if metadata.density is not None and not {_X, _Y} <= set(tags):
        unit, x, y = metadata.density
        tags |= {_X: (RATIONAL, struct.pack("<II", x, 1)), _Y: (RATIONAL, struct.pack("<II", y, 1))}
        tags[_UNIT] = (SHORT, struct.pack("<H", unit + 1))
    return tags, lost


def _described(metadata: Metadata) -> tuple[Directory, list[str]]:
    if not metadata.exif:
        return {}, []
    lost: list[str] = []
    try:
        block = ExifBlock(metadata.exif)
        tags = read_directory(block, block.number(4))
    except (ValueError, struct.error):
        return {}, ["broken EXIF"]
    kept = {tag: value for tag, value in tags.items() if tag in _DESCRIPTIVE and tag != ORIENTATION}
    return _without_maker_note(kept, lost), lost
