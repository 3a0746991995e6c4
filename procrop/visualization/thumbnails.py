"""Small pictures of photo files, for sheets and reports."""

import os

import numpy as np

from procrop.io import PhotoError, upright_rgb
from procrop.io.photo import opened_photo
from procrop.visualization.crop_overlay import scale_to_fit

_MAX_PIXELS = 200_000_000  # as read_photo has it


def read_thumbnail(path: str | os.PathLike | None, room: tuple[int, int]) -> np.ndarray | None:
    """Read a photo into ``room`` (width, height): (h, w, 3) uint8 RGB, or None where no file can be read.

    A JPEG is decoded at the smallest scale that is at least twice as large, which takes a fraction of the time.

    A photo of a gallery may have been deleted since: its features are still there, and it can be a reference.
    """
    if path is None:
        return None
    try:
        with opened_photo(path, _MAX_PIXELS) as image:
            image.draft(None, (2 * max(room), 2 * max(room)))  # upright or not, both sides are large enough
            return np.asarray(scale_to_fit(upright_rgb(image, path), room))
    except PhotoError:
        return None
