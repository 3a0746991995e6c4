"""JPEG files, of the quality of their source."""

import io
import struct

from procrop.photofile.jpeg_facts import JpegFacts
from procrop.photofile.metadata import EXIF_HEADER, Metadata
from procrop.photofile.raster import Raster

QUALITY = 95  # of what was no JPEG
_FULL_COLOUR_FROM = 90
_LARGEST = 65533  # bytes in a segment
_XMP_HEADER, _ICC_HEADER, _PHOTOSHOP_HEADER = (
    b"http://ns.adobe.com/xap/1.0/\0",
    b"ICC_PROFILE\0",
    b"Photoshop 3.0\0",
)
_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\0"


def encode_jpeg(
    raster: Raster, metadata: Metadata, facts: JpegFacts | None, swapped: bool, quality: int | None
) -> tuple[bytes, list[str]]:
    """Encode an L, RGB or CMYK raster of eight bits.

    Without a quality the quantisation tables and the subsampling of the source are used again, so the file is as fine
    as the source and no larger than it needs to be.

    Args:
        raster: the pixels.
        metadata: what goes along.
        facts: how the source was encoded, if it was a JPEG.
        swapped: rows and columns have changed places since.
        quality: 1 to 100, None: as the source, or 95.

    Returns:
        The file, and the names of what does not fit into it.
    """
    options = {"progressive": facts is not None and facts.progressive, "optimize": True}
    if facts is not None and quality is None:
        options |= {"qtables": facts.table_rows(swapped), "subsampling": facts.subsampling(swapped)}
    else:
        quality = QUALITY if quality is None else quality
        full = 0 if quality >= _FULL_COLOUR_FROM else 2
        options |= {"quality": quality, "subsampling": full if facts is None else facts.subsampling(swapped)}
    if facts is not None and facts.stores_rgb:
        options |= {"keep_rgb": True}
    file = io.BytesIO()
    raster.to_image().save(file, "JPEG", **options)
    return with_segments(file.getvalue(), metadata)


def with_segments(jpeg: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """Put metadata into an encoded JPEG that has none; the names of what does not fit too."""
    segments, lost = _segments(metadata)
    start = 2
    if jpeg.startswith(_JFIF):
        start = 20
        if metadata.density is not None:
            jpeg = jpeg[:13] + struct.pack(">BHH", *metadata.density) + jpeg[18:]
    return b"".join([jpeg[:start], *segments, jpeg[start:]]), lost


def _segments(metadata: Metadata) -> tuple[list[bytes], list[str]]:
    segments, lost = [], []
    single = [("EXIF", 0xE1, EXIF_HEADER, metadata.exif), ("XMP", 0xE1, _XMP_HEADER, metadata.xmp)]
    single.append(("comment", 0xFE, b"", metadata.comment))
    for name, marker, header, data in single:
        if data is not None and len(header) + len(data) > _LARGEST:
            lost.append(f"{name} of {len(data)} bytes, more than a JPEG can hold")
        elif data is not None:
            segments.append(_segment(marker, header + data))
    for part in _parts(metadata.photoshop, _LARGEST - len(_PHOTOSHOP_HEADER)):
        segments.append(_segment(0xED, _PHOTOSHOP_HEADER + part))
    parts = _parts(metadata.icc, _LARGEST - len(_ICC_HEADER) - 2)
    for number, part in enumerate(parts, start=1):
        segments.append(_segment(0xE2, _ICC_HEADER + bytes([number, len(parts)]) + part))
    return segments, lost


def _parts(data: bytes | None, length: int) -> list[bytes]:
    return [data[i : i + length] for i in range(0, len(data or b""), length)]


def _segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
