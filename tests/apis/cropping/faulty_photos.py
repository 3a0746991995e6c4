"""Every kind of photo that a folder may hold, good and bad, and what the crop command is to make of it."""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from photo_bomb import bomb
from PIL import Image, ImageCms

SIZE = (96, 64)
ORIENTATION = 0x0112
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def photo(seed=0, size=SIZE):
    """A smooth photo of its own, PIL RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def _saved(kind, image=None, **options):
    buffer = io.BytesIO()
    (image or photo()).save(buffer, kind, **options)
    return buffer.getvalue()


# orientation -> from the upright picture to the one that is stored
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _turned(orientation, kind="PNG"):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = photo().transpose(_STORED[orientation]) if orientation in _STORED else photo()
    return _saved(kind, stored, exif=exif)


def _animated(kind):
    return _saved(kind, save_all=True, append_images=[photo(1), photo(2)], duration=50)


def _palette(transparent):
    image = photo().quantize(16)
    return _saved("PNG", image, **(dict(transparency=3) if transparent else {}))


def _depth(dtype, factor):
    return Image.fromarray((np.asarray(photo().convert("L"), dtype=np.float64) * factor).astype(dtype))


@dataclass(frozen=True)
class Kind:
    """A file and what is to come of it.

    Attributes:
        content: bytes, or a function that makes the file at a path.
        reason: part of why it is rejected; None for one that is cropped.
        suffix: of its crop.
        mode: Pillow's mode of its crop.
        size: (width, height) of the upright photo.
    """

    content: bytes | Callable[[Path], None]
    reason: str | None = None
    suffix: str = ".png"
    mode: str = "RGB"
    size: tuple[int, int] = SIZE


_GREY = photo().convert("L")
_CLEAR = Image.merge("RGBA", [*photo().split(), Image.new("L", SIZE)])

KINDS = {
    "good.png": Kind(_saved("PNG")),
    "good.jpg": Kind(_saved("JPEG", quality=90), suffix=".jpg"),
    "good.tif": Kind(_saved("TIFF"), suffix=".tif"),
    "good.webp": Kind(_saved("WEBP", lossless=True), suffix=".webp"),
    "good.bmp": Kind(_saved("BMP")),
    "zero.jpg": Kind(b"", "empty (zero bytes)"),
    "text.jpg": Kind(b"This is no photo.\n", "no image of a known format"),
    "truncated.jpg": Kind(_saved("JPEG", photo(size=(400, 300)))[:4000], "truncated or damaged"),
    "truncated.png": Kind(_saved("PNG", photo(size=(400, 300)))[:9000], "truncated or damaged"),
    "png named.jpg": Kind(_saved("PNG")),
    "jpeg named.png": Kind(_saved("JPEG"), suffix=".jpg"),
    "bomb.png": Kind(bomb(20000, 20000), "more than the limit"),
    "cmyk.jpg": Kind(_saved("JPEG", photo().convert("CMYK")), suffix=".jpg", mode="CMYK"),
    "i16.png": Kind(_saved("PNG", _depth(np.uint16, 257)), mode="I;16"),
    "i.tif": Kind(_saved("TIFF", _depth(np.int32, 70_000)), suffix=".tif", mode="I"),
    "f.tif": Kind(_saved("TIFF", _depth(np.float32, 1 / 255)), suffix=".tif", mode="F"),
    "one bit.png": Kind(_saved("PNG", _GREY.convert("1")), mode="1"),
    "grey.png": Kind(_saved("PNG", _GREY), mode="L"),
    "grey alpha.png": Kind(_saved("PNG", Image.merge("LA", [_GREY, _GREY])), mode="LA"),
    "palette.png": Kind(_palette(False), mode="P"),
    "transparent palette.png": Kind(_palette(True), mode="P"),
    "nothing to see.png": Kind(_saved("PNG", _CLEAR), mode="RGBA"),
    "animated.gif": Kind(_animated("GIF"), mode="P"),
    "animated.webp": Kind(_animated("WEBP"), suffix=".webp"),
    "animated.png": Kind(_animated("PNG")),
    **{f"exif {n}.png": Kind(_turned(n)) for n in range(1, 9)},
    "exif 99.jpg": Kind(_turned(99, "JPEG"), suffix=".jpg"),
    "exif broken.jpg": Kind(_saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), suffix=".jpg"),
    "1 x 1.png": Kind(_saved("PNG", photo(size=(1, 1))), size=(1, 1)),
    "800 x 1.png": Kind(_saved("PNG", photo(size=(800, 1))), "too narrow a strip"),
    "30000 x 20.png": Kind(_saved("PNG", photo(size=(30000, 20))), "too narrow a strip"),
    "profile.jpg": Kind(_saved("JPEG", icc_profile=PROFILE), suffix=".jpg"),
    "vanished.png": Kind(_saved("PNG"), "does not exist"),
    "vanished later.png": Kind(_saved("PNG"), "does not exist"),
    "locked.png": Kind(_saved("PNG"), "may not be read"),
    "link to nothing.png": Kind(lambda path: path.symlink_to("nothing.png"), "does not exist"),
    "link to itself.png": Kind(lambda path: path.symlink_to(path.name), "cannot be read"),
    os.fsdecode(b"caf\xe9.png"): Kind(_saved("PNG")),
    "two\nlines.png": Kind(_saved("PNG")),
    "sub 1/same.png": Kind(_saved("PNG", photo(1))),
    "sub 2/same.png": Kind(_saved("PNG", photo(2))),
    "sub 2/same.jpg": Kind(_saved("JPEG", photo(3)), suffix=".jpg"),
}


def write_all(folder: Path) -> None:
    """Write one file of each kind, and a folder that leads back to itself."""
    for name, kind in KINDS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(kind.content):
            kind.content(path)
        else:
            path.write_bytes(kind.content)
    (folder / "sub 1" / "up").symlink_to(folder)
