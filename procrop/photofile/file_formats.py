"""Which format a crop is written in, and how its file is named."""

import os
from collections.abc import Callable

from PIL import Image

from procrop.io.photo import PhotoError, opened_photo

# what a crop can be written as, as people name it -> Pillow's name
CROP_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF"}
_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
# pixels of formats that are not kept, which PNG cannot hold
_NOT_IN_PNG = ("F", "CMYK", "LAB")


def suffix_of(source: str | os.PathLike, format: str = "keep") -> str:  # noqa: A002 (the option's name)
    """The suffix of a crop's file, e.g. ".jpg".

    Args:
        source: the photo; its header tells its format, whatever its own suffix says. Only "keep" reads it.
        format: "keep", "jpeg", "png", "webp" or "tiff".

    Raises:
        PhotoError: the photo cannot be opened.
        ValueError: there is no such format.
    """
    if format != "keep":
        return _SUFFIXES[target_format(None, format)][0]
    with opened_photo(source) as image:
        return _SUFFIXES[target_format(image, format)][0]


def source_format(image: Image.Image) -> str:
    """Pillow's name of an opened photo's format; a phone's several pictures in one file are a JPEG too."""
    return "JPEG" if image.format == "MPO" else image.format


def target_format(image: Image.Image | None, format: str) -> str:  # noqa: A002
    """Pillow's name of the format of a crop.

    JPEG, PNG, WebP and TIFF are kept. All others become PNG, which keeps every pixel of theirs, or TIFF if PNG cannot.

    Raises:
        ValueError: there is no such format.
    """
    if format in CROP_FORMATS:
        return CROP_FORMATS[format]
    if format != "keep":
        raise ValueError(f"format {format!r} is not known; name one of keep, {', '.join(CROP_FORMATS)}")
    own = source_format(image)
    if own in _SUFFIXES:
        return own
    return "TIFF" if image.mode in _NOT_IN_PNG else "PNG"


def check_suffix(target: str | os.PathLike, name: str) -> None:
    """Refuse a file name that belongs to another format.

    Raises:
        ValueError: the suffix is not one of the format's.
    """
    suffix = os.path.splitext(os.fspath(target))[1].lower()
    if suffix not in _SUFFIXES[name]:
        raise ValueError(
            f"{os.fspath(target)!r}: the crop is written as {name}, which ends in {' or '.join(_SUFFIXES[name])}; "
            "name it so, or ask for another format"
        )


def encoded(path: str | os.PathLike, name: str, encode: Callable[[], bytes]) -> bytes:
    """What an encoder gives, its own errors told with the photo's name.

    Raises:
        PhotoError: the encoder cannot write this photo.
    """
    try:
        return encode()
    except (OSError, ValueError, OverflowError) as error:
        reason = f"the crop cannot be written as {name} ({error})"
        raise PhotoError(path, reason, "choose another format") from error
