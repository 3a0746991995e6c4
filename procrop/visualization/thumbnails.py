"""Small pictures of photo files, for sheets and reports."""

import os

import numpy as np

from procrop.io import PhotoError, read_photo
from procrop.visualization.crop_overlay import scale_to_fit


def read_thumbnail(path: str | os.PathLike | None, room: tuple[int, int]) -> np.ndarray | None:
    """Read a photo into ``room`` (width, height): (h, w, 3) uint8 RGB, or None where no file can be read.

    A photo of a gallery may have been deleted since: its features are still there, and it can be a reference.
    """
    if path is None:
        return None
    try:
        return np.asarray(scale_to_fit(read_photo(path), room))
    except PhotoError:
        return None
