"""Colours of 16 bits a channel, which Pillow would cut down to eight."""

import io

import numpy as np
from PIL import Image

from procrop.photofile.raster import Raster

_RGB, _CMYK = 2, 5
_BITS, _SAMPLES, _PHOTOMETRIC, _EXTRA = 258, 277, 262, 338
_PREMULTIPLIED, _STRAIGHT = 1, 2
_GREY_ALPHA_RGB = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def png_is_deep(png: bytes) -> bool:
    """Whether a PNG holds 16-bit channels that Pillow cannot keep: all but plain grey."""
    return png[24] == 16 and png[25] != 0


def read_deep_png(png: bytes) -> Raster | None:
    """(H, W, 3 or 4) uint16 as stored; grey with alpha comes as RGBA. None where OpenCV cannot."""
    return _decoded_by_opencv(png)


def tiff_is_deep(image: Image.Image) -> bool:
    """Whether an opened TIFF holds 16-bit channels that Pillow cannot keep: more than one."""
    tags = image.tag_v2
    return tags.get(_SAMPLES, 1) > 1 and max(tags.get(_BITS, (1,))) == 16


def read_deep_tiff(tiff: bytes, image: Image.Image) -> tuple[Raster | None, str | None]:
    """The first page as stored, not turned, and what had to be done to it; None where nobody can read it."""
    tags = image.tag_v2
    values = _decoded_by_tifffile(tiff)
    if values is None:
        # OpenCV says nothing of the alpha's kind and has no CMYK
        usual = tags.get(_PHOTOMETRIC) == _RGB and tags.get(_EXTRA, ()) in ((), (_STRAIGHT,))
        return (_decoded_by_opencv(tiff) if usual else None), None
    return _named(values, tags.get(_PHOTOMETRIC), tags.get(_EXTRA, ()))


def _named(values: np.ndarray, photometric: int | None, extra: tuple) -> tuple[Raster | None, str | None]:
    colours = {1: 1, _RGB: 3, _CMYK: 4}.get(photometric)
    if values.dtype != np.uint16 or values.ndim != 3 or colours is None or values.shape[2] < colours:
        return None, None
    has_alpha = photometric != _CMYK and bool(extra) and extra[0] in (_PREMULTIPLIED, _STRAIGHT)
    kept = values[..., : colours + has_alpha]
    note = "extra channels are left out" if kept.shape[2] < values.shape[2] else None
    if has_alpha and extra[0] == _PREMULTIPLIED:
        kept, note = _straight(kept), "premultiplied alpha is written as straight alpha"
    space = "CMYK" if photometric == _CMYK else _GREY_ALPHA_RGB[kept.shape[2]]
    return Raster(kept[..., 0] if space == "L" else kept, space), note


def _straight(values: np.ndarray) -> np.ndarray:
    alpha = values[..., -1:].astype(np.float64)
    colours = np.rint(values[..., :-1] * (65535 / np.maximum(alpha, 1)))
    return np.dstack([np.minimum(colours, 65535).astype(np.uint16), values[..., -1]])


def _decoded_by_tifffile(tiff: bytes) -> np.ndarray | None:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(tiff)) as file:
            page = file.pages[0]
            values = page.asarray()
            separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    except Exception:  # a compression that needs the package imagecodecs, or any kind of damage
        return None
    values = np.moveaxis(values, 0, -1) if separate and values.ndim == 3 else values
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _decoded_by_opencv(data: bytes) -> Raster | None:
    import cv2

    try:
        values = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        return None
    space = _GREY_ALPHA_RGB[values.shape[2]]
    return Raster(values[..., [2, 1, 0] if space == "RGB" else [2, 1, 0, 3]], space)
