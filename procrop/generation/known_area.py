"""The known area of a canvas: the pixels that are the photo's, and that stay so."""

import numpy as np
from PIL import Image

from .canvas_plan import CanvasPlan


def downscaled_photo(photo: np.ndarray, plan: CanvasPlan) -> np.ndarray:
    """The photo as it stands on the canvas: Lanczos, antialiased.

    Args:
        photo: (H, W, 3) uint8 RGB.
        plan: The canvas.

    Returns:
        (h, w, 3) uint8, of ``plan.known_size``; its own memory.
    """
    if (photo.shape[1], photo.shape[0]) == plan.known_size:
        return photo.copy()
    return np.array(Image.fromarray(photo).resize(plan.known_size, Image.Resampling.LANCZOS))


def known_slices(plan: CanvasPlan) -> tuple[slice, slice]:
    """Rows and columns of the known area, as an index of the canvas."""
    x1, y1, x2, y2 = plan.known
    return slice(y1, y2), slice(x1, x2)


def known_mask(plan: CanvasPlan) -> np.ndarray:
    """(height, width) bool, True in the known area."""
    mask = np.zeros((plan.height, plan.width), bool)
    mask[known_slices(plan)] = True
    return mask


def distance_to_known(plan: CanvasPlan) -> np.ndarray:
    """(height, width) float32: Euclidean pixels from the nearest known pixel, 0 in the known area."""
    x1, y1, x2, y2 = plan.known
    x, y = np.arange(plan.width), np.arange(plan.height)
    across = np.maximum(np.maximum(x1 - x, x - (x2 - 1)), 0)
    down = np.maximum(np.maximum(y1 - y, y - (y2 - 1)), 0)
    return np.hypot(across[None, :], down[:, None]).astype(np.float32)
