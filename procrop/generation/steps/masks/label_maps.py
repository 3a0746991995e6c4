"""Label maps: shrinking the photo that they are found on, sorting masks into levels, bringing labels to full size."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

# a label map holds uint16, and 0 is no mask
MAX_LABELS = 65535


def shrunk(photo: np.ndarray, long_side: int) -> np.ndarray:
    """A photo (H, W, 3) uint8 brought to a long side in pixels, antialiased; smaller ones stay as they are."""
    height, width = photo.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return photo
    size = tuple(max(1, round(side * scale)) for side in (width, height))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Label maps (L, h, w) at another (width, height), each pixel taking the label at its centre: (L, H, W)."""
    width, height = size
    rows = ((np.arange(height) + 0.5) * labels.shape[1] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * labels.shape[2] / width).astype(np.intp)
    return labels[:, rows[:, None], columns]


def sorted_levels(masks: Sequence[np.ndarray], size: tuple[int, int], shares: Sequence[float]) -> np.ndarray:
    """Sort masks by their area into levels, coarse to fine, and draw each level as a label map.

    Within a level the labels count from 1 from the largest mask down, and smaller masks lie upon larger ones, so that
    of two that overlap both remain to be seen.

    Args:
        masks: (h, w) bool each; empty ones are left out.
        size: (width, height) of the masks.
        shares: Falling shares of the picture: a mask of at least the first belongs to level 0, of at least the second
            to level 1, and so on; smaller ones belong to the last level.

    Returns:
        (len(shares) + 1, height, width) uint16, 0 where a level has no mask.
    """
    width, height = size
    levels = np.zeros((len(shares) + 1, height, width), np.uint16)
    # a stable sort: of two masks of one area the first comes first
    areas = np.array([np.count_nonzero(mask) for mask in masks], dtype=np.int64)
    counts = [0] * len(levels)
    for i in np.argsort(-areas, kind="stable"):
        share = areas[i] / (width * height)
        level = sum(share < limit for limit in shares)
        if areas[i] and counts[level] < MAX_LABELS:
            counts[level] += 1
            levels[level][masks[i]] = counts[level]
    return levels
