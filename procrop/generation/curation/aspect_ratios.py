"""Crops in the shapes that photos are printed and shown in."""

from collections.abc import Sequence

import numpy as np

#: long side / short side of the formats that a crop may have; each also upright
RATIOS = (1.0, 5 / 4, 4 / 3, 7 / 5, 3 / 2, 16 / 9)


def snap_to_ratios(
    boxes: np.ndarray, ratios: Sequence[float] = RATIOS, tolerance: float = 0.03
) -> tuple[np.ndarray, np.ndarray]:
    """Bring boxes whose shape is nearly one of ``ratios`` exactly to it.

    A box is near a ratio if its long side over its short side differs from it by at most ``tolerance``; the nearest
    one counts. The side that is too long is shortened about the box's centre, so that nothing leaves the photo.

    Args:
        boxes: (n, 4) ``xyxy``.
        ratios: Long side / short side, each at least 1.
        tolerance: Largest difference.

    Returns:
        (n, 4) float64 boxes, those that are near no ratio as they came, and (n,) bool: near one. A box without area or
        with NaN is near none.
    """
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    sound = (sides > 0).all(axis=1)
    long, short = sides.max(axis=1), sides.min(axis=1)
    shape = long / np.where(sound, short, 1.0)
    table = np.asarray(ratios, np.float64)
    gap = np.abs(shape[:, None] - table)
    nearest = gap.argmin(axis=1)
    # a hair of room, so that a shape exactly at the tolerance is within it whatever the rounding
    near = sound & (gap[np.arange(len(boxes)), nearest] <= tolerance + 1e-9)
    target = table[nearest]
    new_long = np.where(shape > target, short * target, long)
    new_short = np.where(shape > target, short, long / target)
    wide = sides[:, 0] >= sides[:, 1]
    new = np.stack([np.where(wide, new_long, new_short), np.where(wide, new_short, new_long)], axis=1)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    snapped = np.concatenate([centre - new / 2, centre + new / 2], axis=1)
    return np.where(near[:, None], snapped, boxes), near
