"""Photo files to crop, made by means other than those under test."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

# orientation -> the stored rows of an upright picture (inverse of what TIFF 6.0, tag 274, tells a viewer to do)
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
    8: lambda a: np.rot90(a, -1),
}
# orientation -> what a viewer has to do with the stored rows
TURN = {**STORED, 6: STORED[8], 8: STORED[6]}


def scene(height: int = 96, width: int = 128) -> np.ndarray:
    """(H, W, 3) uint8: a smooth landscape with edges and a little grain, different in each corner."""
    y, x = np.mgrid[0:height, 0:width] / 32
    planes = [np.sin(x + y / 2), np.sin(1.3 * y + 1), np.cos(x * y / 4)]
    picture = 128 + 80 * np.dstack(planes)
    picture[height // 4 : height // 2, width // 5 : width // 3] = (200, 40, 30)
    picture += np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def deep(*shape: int) -> np.ndarray:
    """uint16 noise over the whole range."""
    return np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)


def wide_gamut_profile() -> bytes:
    """The bytes of an RGB profile with the primaries and the gamma of Adobe RGB (1998)."""
    template = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    primaries = {b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087)}
    primaries[b"bXYZ"] = (0.14919, 0.06322, 0.74457)
    for i in range(struct.unpack_from(">I", template, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", template, 132 + 12 * i)
        if tag in primaries:
            struct.pack_into(">3i", template, offset + 8, *(round(v * 65536) for v in primaries[tag]))
    return bytes(template)


def profile_of(space: bytes, length: int = 600) -> bytes:
    """A profile that says in its header that it is for a colour space, and is nonsense otherwise."""
    return struct.pack(">I", length) + bytes(12) + space + bytes(length - 20)


def exif_with_maker_note(
    order: str = "<", thumbnail: bytes = b"\xff\xd8THUMB\xff\xd9" * 20
) -> tuple[bytes, int, bytes]:
    """An EXIF block as a camera writes it, built by hand.

    Its maker note holds an offset that counts from the start of the block, as many makers have it.

    Returns:
        The block (orientation 6, 4000 x 3000, GPS, maker note, subject area, thumbnail), where the maker note lies, and
        the note.
    """
    mark = b"II*\0" if order == "<" else b"MM\0*"

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        packed = (
            struct.pack(order + "HH", value, 0)
            if (kind, count) == (3, 1)
            else struct.pack(order + "I", value)
        )
        return struct.pack(order + "HHI", tag, kind, count) + packed

    ifd0, exif, gps, note, area, thumb_ifd = 8, 80, 160, 200, 240, 248
    note_bytes = b"Maker\0" + struct.pack(order + "I", note + 20) + bytes(10) + b"secret of the maker\0"
    ifd0_bytes = struct.pack(order + "H", 4) + entry(0x0112, 3, 1, 6) + entry(0x0128, 3, 1, 2)
    ifd0_bytes += entry(0x8769, 4, 1, exif) + entry(0x8825, 4, 1, gps) + struct.pack(order + "I", thumb_ifd)
    exif_bytes = (
        struct.pack(order + "H", 4) + entry(0x927C, 7, len(note_bytes), note) + entry(0x9214, 3, 4, area)
    )
    exif_bytes += entry(0xA002, 3, 1, 4000) + entry(0xA003, 3, 1, 3000) + bytes(4)
    north = struct.pack(order + "HHI", 1, 2, 2) + b"N\0\0\0"
    gps_bytes = struct.pack(order + "H", 1) + north + bytes(4)
    thumb_bytes = (
        struct.pack(order + "H", 2)
        + entry(0x0201, 4, 1, 300)
        + entry(0x0202, 4, 1, len(thumbnail))
        + bytes(4)
    )
    block = bytearray(300) + thumbnail
    parts = {0: mark + struct.pack(order + "I", 8), ifd0: ifd0_bytes, exif: exif_bytes, gps: gps_bytes}
    parts |= {note: note_bytes, area: struct.pack(order + "4H", 2000, 1500, 100, 100), thumb_ifd: thumb_bytes}
    for place, part in parts.items():
        block[place : place + len(part)] = part
    return bytes(block), note, note_bytes


def png_file(values: np.ndarray, colour_type: int, chunks: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """A 16-bit PNG of (H, W) or (H, W, C) uint16, without filters, with ancillary chunks."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """All chunks of a PNG, their checksums checked."""
    place, chunks = 8, []
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        data = png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length)[0] == zlib.crc32(kind + data)
        chunks.append((kind, data))
        place += 12 + length
    return chunks


def decode_png(png: bytes) -> np.ndarray:
    """(H, W, C) uint16 of a 16-bit PNG without interlacing, by the filters of the PNG specification, section 9."""
    chunks = png_chunks(png)
    width, height, depth, colour_type = struct.unpack(">IIBB", chunks[0][1][:10])
    assert depth == 16
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    data = zlib.decompress(b"".join(d for k, d in chunks if k == b"IDAT"))
    step, length = 2 * channels, 2 * channels * width
    above, rows = bytearray(length), []
    for y in range(height):
        kind, row = data[y * (length + 1)], bytearray(data[y * (length + 1) + 1 : (y + 1) * (length + 1)])
        for i in range(length):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            guess = left + above[i] - corner
            nearest = min((left, above[i], corner), key=lambda value: abs(guess - value))
            row[i] = (row[i] + (0, left, above[i], (left + above[i]) // 2, nearest)[kind]) % 256
        rows.append(np.frombuffer(bytes(row), dtype=">u2").reshape(width, channels))
        above = row
    return np.stack(rows).astype(np.uint16)


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    """The bytes of an image file of Pillow's."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()
