"""The chunks of a PNG file that do not hold pixels."""

import struct
import zlib
from collections.abc import Iterable

Chunk = tuple[bytes, bytes]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp"
COLOUR_CHUNKS = (b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI")
# unsafe to copy by their name, but right as long as depth and colour type stay as they are
_PIXEL_CHUNKS = (b"sBIT", b"bKGD")
# rewritten, or true of the whole photo alone: ImageMagick's canvas (caNv, vpAg) would frame the crop with it
_REWRITTEN = (b"eXIf", b"tRNS", b"pHYs", b"hIST", b"oFFs", b"pCAL", b"sCAL", b"caNv", b"vpAg")
_REWRITTEN_TEXTS = (XMP_KEYWORD, b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def chunks_of(png: bytes) -> list[Chunk]:
    """(type, data) of all chunks in front of the end, as they lie; what follows damage is left out."""
    chunks, place = [], len(SIGNATURE)
    while place + 12 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IEND" or place + 12 + length > len(png):
            break
        chunks.append((kind, png[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def kept_chunks(png: bytes) -> tuple[Chunk, ...]:
    """The chunks that hold for a crop too: colour, texts, and those whose name says that they may be copied."""
    return tuple(chunk for chunk in chunks_of(png) if _is_kept(*chunk))


def _is_kept(kind: bytes, data: bytes) -> bool:
    if kind in _REWRITTEN or kind in _TEXTS and data.split(b"\0")[0] in _REWRITTEN_TEXTS:
        return False
    ancillary, safe = bool(kind[0] & 32), bool(kind[3] & 32)
    return ancillary and (safe or kind in COLOUR_CHUNKS or kind in _PIXEL_CHUNKS)


def same_pixel_format(png: bytes, chunks: Iterable[Chunk], header: bytes | None) -> list[Chunk]:
    """Without those that speak of depth or palette, unless the encoded PNG has the header's depth and colour type."""
    same = header is not None and png[24:26] == header[8:10]
    return [chunk for chunk in chunks if same or chunk[0] not in _PIXEL_CHUNKS]


def with_chunks(png: bytes, chunks: Iterable[Chunk]) -> bytes:
    """Put ancillary chunks into an encoded PNG: behind its header, those of the background before its pixels."""
    early = [chunk for chunk in chunks if chunk[0] != b"bKGD"]
    late = [chunk for chunk in chunks if chunk[0] == b"bKGD"]
    parts, pending = [SIGNATURE], list(late)
    for kind, data in chunks_of(png):
        if kind == b"IDAT":
            parts += [_packed(*chunk) for chunk in pending]
            pending = []
        parts.append(_packed(kind, data))
        if kind == b"IHDR":
            parts += [_packed(*chunk) for chunk in early]
    return b"".join([*parts, _packed(b"IEND", b"")])


def _packed(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
