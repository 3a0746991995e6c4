"""Photoshop's image resources (IPTC among them) without the thumbnail of the whole photo."""

import struct

_THUMBNAILS = (1033, 1036)


def without_thumbnails(resources: bytes) -> bytes:
    """Drop the thumbnails out of a block of image resources, from the first "8BIM" on.

    Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks".

    Raises:
        ValueError: the block is broken.
    """
    kept, place = [], 0
    while place < len(resources):
        start = place
        if resources[place : place + 4] != b"8BIM" or place + 12 > len(resources):
            if not resources[place:].strip(b"\0"):
                break  # padding
            raise ValueError("no image resource where one should begin")
        number = struct.unpack_from(">H", resources, place + 4)[0]
        name = 1 + resources[place + 6]
        place += 6 + name + name % 2
        if place + 4 > len(resources):
            raise ValueError("an image resource is cut off")
        length = struct.unpack_from(">I", resources, place)[0]
        place += 4 + length
        if place > len(resources):
            raise ValueError("an image resource is cut off")
        place += length % 2
        if number not in _THUMBNAILS:
            kept.append(resources[start:place])
    return b"".join(kept)
