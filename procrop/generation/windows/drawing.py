"""Windows of a photo, drawn by chance."""

import hashlib

import numpy as np

from ..curation.principles.raster_shares import mass_in
from .settings import WindowSettings

_TRIES = 100  # for each window


def draw_windows(
    size: tuple[int, int], subject: np.ndarray, settings: WindowSettings, name: str
) -> np.ndarray:
    """Windows of many shapes and sizes that hold enough of the subject.

    A shape is drawn, then a size between ``smallest`` and the largest window of this shape, then a place. Windows that
    hold less than ``least_subject`` of the subject are drawn again, at most a hundred times each.

    Args:
        size: (width, height) of the photo in pixels.
        subject: (h, w) float, at least 0 and not 0 everywhere: how much each cell belongs to the subject.
        settings: Their number, shapes, sizes and seed.
        name: The photo's: the windows are a function of seed and name.

    Returns:
        (n, 4) int64 ``xyxy`` in pixels of the photo, not empty and inside it; n is less than asked for where the
        subject is in so many places that few windows hold enough of it.
    """
    text = f"{settings.seed}/{name}".encode("utf-8", "surrogateescape")
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest(), "big"))
    total, sides = subject.sum(dtype=np.float64), np.array([*size, *size], np.float64)
    windows = []
    for _ in range(settings.windows):
        for _ in range(_TRIES):
            window = _one(size, settings, rng)
            if mass_in(subject, window[None] / sides)[0] >= settings.least_subject * total:
                windows.append(window)
                break
    return np.array(windows, np.int64).reshape(-1, 4)


def _one(size: tuple[int, int], settings: WindowSettings, rng: np.random.Generator) -> np.ndarray:
    (width, height), (low, high) = size, settings.shapes
    shape = np.exp(rng.uniform(np.log(low), np.log(high)))
    scale = rng.uniform(settings.smallest, 1)
    w = max(1, round(scale * min(width, height * shape)))
    h = max(1, round(scale * min(height, width / shape)))
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    return np.array([x, y, x + w, y + h], np.int64)
