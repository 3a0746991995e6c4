"""Photos that are small on the disk and large in memory."""

import struct
import zlib


def bomb(width, height):
    """A 1-bit PNG of white pixels, small on disk."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj()
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    pixels = b"".join(rows.compress(row) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tag_bomb(order="<", big=False, tags=2000, size=20_000):
    """A directory of tags of ``size`` bytes each, which lie over one another, from the TIFF header on."""
    entry, count, place = ("HHQQ", "Q", "Q") if big else ("HHII", "H", "I")
    mark = {"<": b"II", ">": b"MM"}[order]
    start = 16 if big else 8
    header = mark + struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0) if big else (42,)), start)
    entries = b"".join(struct.pack(order + entry, 40_000 + i, 7, size, start) for i in range(tags))
    block = header + struct.pack(order + count, tags) + entries + struct.pack(order + place, 0)
    return block.ljust(size + start, b"\0")
