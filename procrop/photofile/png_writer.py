"""PNG files."""

import io
import struct
import zlib

import numpy as np

from procrop.photofile.metadata import Metadata
from procrop.photofile.png_chunks import COLOUR_CHUNKS, XMP_KEYWORD, Chunk, same_pixel_format, with_chunks
from procrop.photofile.raster import Raster

_PER_METRE = {0: (0, 1.0), 1: (1, 1 / 0.0254), 2: (1, 100.0)}  # JFIF's unit -> PNG's unit, factor


def encode_png(raster: Raster, metadata: Metadata, header: bytes | None) -> tuple[bytes, list[str]]:
    """Encode a raster, with its metadata.

    Args:
        raster: 1, L, LA, P, RGB or RGBA of eight bits, or L, LA, RGB or RGBA of 16.
        metadata: what goes along.
        header: the source's IHDR data, if it is a PNG.

    Returns:
        The file, and the names of what does not fit into it.
    """
    png = _encode_deep(raster) if raster.deep and raster.space != "L" else _encode(raster)
    chunks = same_pixel_format(png, metadata.png_chunks, header)
    profiled = any(kind in COLOUR_CHUNKS for kind, _ in chunks)
    if metadata.icc and not profiled:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    chunks += _described(metadata)
    lost = ["IPTC"] if metadata.photoshop else []
    return with_chunks(png, chunks), lost


def _described(metadata: Metadata) -> list[Chunk]:
    chunks = []
    if metadata.density is not None:
        unit, factor = _PER_METRE.get(metadata.density[0], (0, 1.0))
        x, y = (round(value * factor) for value in metadata.density[1:])
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, unit)))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp:
        chunks.append((b"iTXt", XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp))
    if metadata.comment:
        chunks.append((b"tEXt", b"Comment\0" + metadata.comment.replace(b"\0", b"")))
    return chunks


def _encode(raster: Raster) -> bytes:
    file = io.BytesIO()
    options = {} if raster.transparency is None else {"transparency": raster.transparency}
    raster.to_image().save(file, "PNG", **options)
    return file.getvalue()


def _encode_deep(raster: Raster) -> bytes:
    """16-bit colours; Pillow has no mode for them. OpenCV writes no grey with alpha, so that becomes RGBA."""
    import cv2

    order = {"LA": [0, 0, 0, 1], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[raster.space]
    done, png = cv2.imencode(".png", np.ascontiguousarray(raster.values[..., order]))
    if not done:
        raise ValueError("OpenCV did not encode it")
    return png.tobytes()
