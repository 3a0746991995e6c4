"""XMP of a crop: what describes the pixels of the whole photo is corrected or taken out of the packet."""

import re
from bisect import bisect_right

# properties that describe the whole photo or something appended to its file: panoramas, gain maps, motion photos
_STALE = rb"GPano|GCamera|GDepth|GImage|Container|GContainer|Item|hdrgm|HDRGainMap|xmpGImg"
_STALE_NAMES = rb"xmp:Thumbnails|xap:Thumbnails|xmpNote:HasExtendedXMP|photoshop:DocumentAncestors"


def crop_xmp(packet: bytes, size: tuple[int, int]) -> bytes:
    """Correct a packet, byte by byte, so that all the rest stays as it is.

    The orientation becomes 1, pixel dimensions become those of the crop, and thumbnails, panoramas, depth maps, gain
    maps and motion photos go. Properties are found by the prefixes that everybody uses for their name spaces.

    Args:
        packet: XMP in UTF-8.
        size: (width, height) of the crop.
    """
    values = {
        b"tiff:Orientation": b"1",
        b"tiff:ImageWidth": b"%d" % size[0],
        b"tiff:ImageLength": b"%d" % size[1],
        b"exif:PixelXDimension": b"%d" % size[0],
        b"exif:PixelYDimension": b"%d" % size[1],
    }
    for name, value in values.items():
        packet = re.sub(rb"(\b%s\s*=\s*([\"']))[^\"']*(\2)" % name, rb"\g<1>%s\g<3>" % value, packet)
        packet = re.sub(rb"(<%s\s*>)[^<]*(</%s\s*>)" % (name, name), rb"\g<1>%s\g<2>" % value, packet)
    return _without(packet, rb"(?:(?:%s):[\w.-]+|%s)" % (_STALE, _STALE_NAMES))


def _without(packet: bytes, name: bytes) -> bytes:
    packet = re.sub(rb"<(%s)(?:\s[^<>]*)?/>" % name, b"", packet)
    packet = _without_elements(packet, name)
    return re.sub(rb"\s%s\s*=\s*(?:\"[^\"]*\"|'[^']*')" % name, b"", packet)


def _without_elements(packet: bytes, name: bytes) -> bytes:
    """Without all from a start tag to the first end tag of its name; in one pass, whatever the packet holds."""
    tags = list(re.finditer(rb"<(/?)(%s)(?:\s[^<>]*)?>" % name, packet))
    ends: dict[bytes, list[int]] = {}
    for tag in tags:
        if tag[1]:
            ends.setdefault(tag[2], []).append(tag.end())
    kept, place = [], 0
    for tag in tags:
        own = ends.get(tag[2], [])
        end = bisect_right(own, tag.end())
        if not tag[1] and tag.start() >= place and end < len(own):
            kept.append(packet[place : tag.start()])
            place = own[end]
    return b"".join([*kept, packet[place:]])
