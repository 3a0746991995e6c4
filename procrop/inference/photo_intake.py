"""Photos in any form that people have them in, as the array that a cropper takes."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from procrop.inference.seen_photo import PhotoRejected
from procrop.io import PhotoError, read_photo, upright_rgb

Photo = str | os.PathLike | np.ndarray | Image.Image
PHOTO_TYPES = (str, os.PathLike, np.ndarray, Image.Image)


@dataclass(frozen=True, eq=False)
class TakenPhoto:
    """A photo in memory.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, upright.
        name: the file, or what stands for it in a result.
        path: the file; None for a photo that came without one.
    """

    pixels: np.ndarray
    name: str
    path: str | None = None


def take_photo(photo: Photo, path: str | os.PathLike | None = None, name: str | None = None) -> TakenPhoto:
    """Read a file, or take what is in memory already.

    Args:
        photo: a file; an (H, W, 3) uint8 RGB array, upright; or a PIL image, which is turned upright by its EXIF tag,
            brought to sRGB and flattened as a file is.
        path: the file that a photo in memory came from.
        name: what to call a photo in memory that came from no file.

    Raises:
        PhotoRejected: the file or the image cannot be used.
        TypeError: this is no photo.
    """
    if isinstance(photo, str | os.PathLike):
        try:
            pixels = read_photo(photo)
        except PhotoError as error:
            raise PhotoRejected(photo, error.reason) from error
        photo = os.fspath(photo)
        return TakenPhoto(pixels, photo, photo)
    path = None if path is None else os.fspath(path)
    if isinstance(photo, Image.Image):
        name = path or name or "image"
        try:
            return TakenPhoto(upright_rgb(photo, name), name, path)
        except PhotoError as error:
            raise PhotoRejected(name, error.reason) from error
    if isinstance(photo, np.ndarray):
        name = path or name or "array"
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
            reason = f"a photo in memory is an (H, W, 3) uint8 RGB array, this is {photo.dtype} {photo.shape}"
            raise PhotoRejected(name, reason)
        return TakenPhoto(photo, name, path)
    raise _no_photo(photo)


def each_photo(photos: Iterable[Photo] | Photo) -> Iterable[Photo]:
    """The photos of an iterable; one photo is one of one.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(photos, PHOTO_TYPES):
        return [photos]
    if isinstance(photos, bytes) or not isinstance(photos, Iterable):
        raise _no_photo(photos)
    return photos


def _no_photo(thing: Any) -> TypeError:  # noqa: ANN401 (anything but a photo)
    return TypeError(
        f"a photo is a file, an (H, W, 3) uint8 RGB array or a PIL image, not {type(thing).__name__}"
    )


def numbered_name(photo: Photo, number: int) -> str:
    """What to call the photo of a position, counted from 0, if it is no file."""
    return f"{'image' if isinstance(photo, Image.Image) else 'array'} {number}"
