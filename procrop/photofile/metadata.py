"""What a photo file holds beside its pixels."""

import dataclasses
import struct
from dataclasses import dataclass
from typing import Any

from PIL import Image

from procrop.photofile.exif_block import crop_exif
from procrop.photofile.photoshop_block import without_thumbnails
from procrop.photofile.xmp_packet import crop_xmp

EXIF_HEADER = b"Exif\0\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


@dataclass(frozen=True)
class Metadata:
    """What is kept; each format takes of it what it can hold.

    Attributes:
        icc: the colour profile, byte by byte.
        exif: the EXIF block from its TIFF header on; of a TIFF file its descriptive tags, in such a block.
        xmp: the XMP packet.
        photoshop: Photoshop's image resources, which hold IPTC.
        iptc: the IPTC of a TIFF file.
        comment: a JPEG's or GIF's comment.
        density: (unit, x, y) as JFIF counts: unit 0 gives the shape of a pixel, 1 pixels per inch, 2 per centimetre.
        png_chunks: (type, data) of the ancillary chunks of a PNG, as they lie.
        left_out: names of what the source holds and a crop cannot keep.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    density: tuple[int, int, int] | None = None
    png_chunks: tuple[tuple[bytes, bytes], ...] = ()
    left_out: tuple[str, ...] = ()

    def for_crop(self, size: tuple[int, int], swapped: bool) -> "Metadata":
        """Corrected for an upright crop of (width, height); ``swapped``: rows and columns changed places."""
        lost = list(self.left_out)
        exif = _corrected(lambda: self.exif and crop_exif(self.exif, size), "broken EXIF", lost)
        resources = self.photoshop
        photoshop = _corrected(lambda: resources and without_thumbnails(resources), "broken IPTC", lost)
        density = self.density
        if density is not None and swapped:
            density = (density[0], density[2], density[1])
        xmp = None if self.xmp is None else crop_xmp(self.xmp, size)
        return dataclasses.replace(
            self, exif=exif, xmp=xmp, photoshop=photoshop, density=density, left_out=tuple(lost)
        )


def _corrected(correct: Any, name: str, lost: list[str]) -> bytes | None:  # noqa: ANN401
    try:
        return correct() or None
    except (ValueError, struct.error, IndexError):
        lost.append(name)
        return None


def read_metadata(image: Image.Image) -> Metadata:
    """Of any opened photo, as far as Pillow tells; PNG chunks and TIFF tags have readers of their own."""
    info = image.info
    exif = info.get("exif") or _exif_text(info.get("Raw profile type exif"))
    if exif:
        exif = exif.removeprefix(EXIF_HEADER)
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    comment = info.get("comment")
    photoshop, left_out = _segments(getattr(image, "applist", []))
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=exif or None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
        photoshop=photoshop,
        comment=comment.encode() if isinstance(comment, str) else comment,
        density=_density(info),
        left_out=left_out,
    )


def _exif_text(text: str | None) -> bytes | None:
    """EXIF in hexadecimal, as ImageMagick hides it in PNG files."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:])) if text else None
    except ValueError:
        return b"broken"  # is told with all other broken EXIF


def _density(info: dict) -> tuple[int, int, int] | None:
    if "jfif_density" in info:
        return (info["jfif_unit"], *info["jfif_density"])
    dpi = info.get("dpi")
    try:
        rounded = (round(float(dpi[0])), round(float(dpi[1])))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return (1, *rounded) if all(0 < value < 65536 for value in rounded) else None


def _segments(applist: list[tuple[str, bytes]]) -> tuple[bytes | None, tuple[str, ...]]:
    """Photoshop's resources, and the names of the segments that do not outlive a crop, of a JPEG's segments."""
    resources, left_out = b"", []
    for name, data in applist:
        if name == "APP13" and data.startswith(_PHOTOSHOP):
            resources += data[len(_PHOTOSHOP) :]
        elif not _is_kept(name, data):
            said = data.split(b"\0")[0][:20].decode("ascii", "replace")
            left_out.append(f"{name} {said}".strip() if said.isprintable() else name)
    return resources or None, tuple(dict.fromkeys(left_out))


def _is_kept(name: str, data: bytes) -> bool:
    starts = {
        "APP0": b"JFIF",
        "APP1": (EXIF_HEADER[:4], b"http://ns.adobe.com/xap/1.0/\0"),
        "APP2": b"ICC_PROFILE\0",
        "APP14": b"Adobe",
        "COM": b"",
    }
    return name in starts and data.startswith(starts[name])
