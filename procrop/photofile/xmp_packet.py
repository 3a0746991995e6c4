"""XMP of a crop: what describes the pixels of the whole photo is corrected or taken out of the packet."""

import re

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
    packet = re.sub(rb"<(%s)(?:\s[^<>]*)?>.*?</\1\s*>" % name, b"", packet, flags=re.DOTALL)
    return re.sub(rb"\s%s\s*=\s*(?:\"[^\"]*\"|'[^']*')" % name, b"", packet)
