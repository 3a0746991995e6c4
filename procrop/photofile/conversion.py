"""From the pixels of one format to what another can hold."""

import os

import numpy as np

from procrop.photofile.raster import PROFILE_OF_SPACE, Raster

_SRGB_NOTE = "converted from {} to sRGB"


def narrowed(raster: Raster, target: str) -> tuple[Raster, list[str]]:
    """Floats and 32-bit integers for formats that have none; a rule over the whole photo, so it comes before the cut.

    Integers within [0, 65535] keep their values as 16 bits where the format has these. All others become 8 bits by the
    rule of :func:`procrop.io.read_photo`.

    Returns:
        The raster, and notes of what was done.
    """
    if raster.values.dtype.itemsize < 4 or target == "TIFF":
        return raster, []
    values = raster.values
    if target == "PNG" and values.dtype.kind != "f" and values.min() >= 0 and 255 < values.max() <= 65535:
        return Raster(values.astype(np.uint16), "L", transparency=raster.transparency), []
    return raster.in_eight_bits(), [f"{values.dtype} is scaled to 8 bits"]


def fitted(
    raster: Raster, target: str, profile: bytes | None, path: str | os.PathLike
) -> tuple[Raster, bytes | None, list[str]]:
    """The pixels as a format can hold them: in the source's colour space where it can, else in sRGB.

    Args:
        raster: the pixels.
        target: Pillow's name of the format.
        profile: the colour profile of the pixels.
        path: the photo, for warnings.

    Returns:
        The raster, its profile, and notes of what was done.
    """
    notes = []
    if raster.deep and target in ("JPEG", "WEBP"):
        notes.append("16 bits are reduced to 8")
        raster = raster.in_eight_bits()
    if raster.space in ("CMYK", "LAB") and (
        target in ("PNG", "WEBP") or (raster.space, target) == ("LAB", "JPEG")
    ):
        if raster.deep:
            notes.append("16 bits are reduced to 8")
        return raster.in_rgb(path, profile), None, [*notes, _SRGB_NOTE.format(raster.space)]
    if target == "JPEG":
        plain = _for_jpeg(raster)
        if plain.space != raster.space and raster.with_alpha().space in ("LA", "RGBA"):
            notes.append("transparency is composited on white")
        elif raster.transparency is not None:
            notes.append("transparency is composited on white")
        raster = plain
    elif target == "WEBP" and raster.space not in ("RGB", "RGBA"):
        if profile and profile[16:20] == PROFILE_OF_SPACE[raster.space] == b"GRAY":
            return raster.in_rgb(path, profile), None, [*notes, _SRGB_NOTE.format("grey")]
        raster = raster.in_rgb(path, None)
    elif raster.transparency is not None and target != "PNG" or _has_odd_palette(raster):
        raster = raster.with_alpha()
    return raster, profile, notes


def _for_jpeg(raster: Raster) -> Raster:
    if raster.space == "1":
        return Raster(raster.values.astype(np.uint8) * 255, "L")
    return raster.on_white()


def _has_odd_palette(raster: Raster) -> bool:
    """Whether the transparency lies in the palette itself, which only Pillow knows."""
    return raster.palette is not None and raster.palette[0] != "RGB"
