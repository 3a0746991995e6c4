"""WebP files."""

import io
import struct

from procrop.photofile.metadata import Metadata
from procrop.photofile.raster import Raster

QUALITY = 90
LARGEST_SIDE = 16383


def is_lossless(webp: bytes) -> bool:
    """Whether the first picture of a WebP file is encoded without loss."""
    place = 12
    while place + 8 <= len(webp):
        kind, length = struct.unpack_from("<4sI", webp, place)
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8L"
        # a frame of an animation holds chunks of its own behind 16 bytes
        place += 8 + (16 if kind == b"ANMF" else length + length % 2)
    return False


def encode_webp(
    raster: Raster, metadata: Metadata, lossless: bool, quality: int | None
) -> tuple[bytes, list[str]]:
    """Encode an RGB or RGBA raster; the file, and the names of what does not fit into it.

    Args:
        raster: the pixels.
        metadata: what goes along.
        lossless: keep every pixel, those under full transparency too.
        quality: 0 to 100 where not lossless; None: 90.

    Raises:
        ValueError: the crop is larger than a WebP can be.
    """
    if max(raster.size) > LARGEST_SIDE:
        raise ValueError(f"a side is longer than {LARGEST_SIDE} pixels")
    file = io.BytesIO()
    options = {name: data for name in ("exif", "xmp") if (data := getattr(metadata, name))}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    quality = QUALITY if quality is None else quality
    raster.to_image().save(file, "WEBP", lossless=lossless, exact=lossless, quality=quality, **options)
    lost = [name for name, held in (("IPTC", metadata.photoshop), ("comment", metadata.comment)) if held]
    return file.getvalue(), lost
