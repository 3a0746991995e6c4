"""Candidate crops on the grid of the GAIC data sets.

The photo is cut into 12 x 12 bins; a crop runs from the centre of one bin to the centre of another, its top-left
corner in the first four columns and rows, its bottom-right corner in the last four, and covers half of the bins or
more: 90 boxes in every photo, of which a rule on the aspect ratio then takes some away.
"""

import numpy as np

_BINS = 12
_CORNERS = 4
_RULES = ("generator", "annotation", "all")


def _grid_indices() -> np.ndarray:
    """Bin indices (90, 4) int64 as x1, y1, x2, y2, sorted by (y1, x1, y2, x2) as in the annotation files."""
    first, last = range(_CORNERS), range(_BINS - _CORNERS, _BINS)
    y1, x1, y2, x2 = (axis.ravel() for axis in np.meshgrid(first, first, last, last, indexing="ij"))
    half = 2 * (x2 - x1) * (y2 - y1) >= _BINS * _BINS
    return np.stack([x1, y1, x2, y2], axis=-1)[half]


def gaic_grid_anchors(
    width: float, height: float, rule: str = "generator", round_to_pixels: bool = False
) -> np.ndarray:
    """Candidate crops of a photo on the GAIC grid.

    Args:
        width: Width of the photo in pixels.
        height: Height of the photo in pixels.
        rule: Which aspect ratios (width / height of the crop) remain. ``"generator"`` is what the public cropping
            models score: strictly between 1/2 and 2, which leaves 90, 87, 83 and 60 boxes for photos of 1:1, 4:3,
            3:2 and 16:9, and none for very long ones. ``"annotation"`` is what the 1,236 annotation files of GAICD
            v1 hold: from 1/2 to 2.2, both included. ``"all"`` keeps the 90.
        round_to_pixels: Round coordinates to whole pixels, halves up, as the files do.

    Returns:
        (N, 4) float64 ``xyxy`` pixels, in the order of the annotation files: by (y1, x1, y2, x2).

    Raises:
        ValueError: If the size is not positive or the rule unknown.
    """
    index = _grid_indices()[gaic_grid_rows(width, height, rule)]
    boxes = (index + 0.5) * np.array([width, height, width, height], dtype=np.float64) / _BINS
    return np.floor(boxes + 0.5) if round_to_pixels else boxes


def gaic_grid_rows(width: float, height: float, rule: str = "generator") -> np.ndarray:
    """Which of the 90 boxes a rule leaves of a photo; arguments and errors as for :func:`gaic_grid_anchors`.

    Returns:
        Their numbers (N,) int64, ascending.
    """
    if not (width > 0 and height > 0):
        raise ValueError(f"a photo's width and height must be above 0, got {width} x {height}")
    if rule not in _RULES:
        raise ValueError(f"rule must be one of {_RULES}, got {rule!r}")
    index = _grid_indices()
    crop_width = (index[:, 2] - index[:, 0]) * width
    crop_height = (index[:, 3] - index[:, 1]) * height
    # products, not quotients: limits that a crop meets exactly stay exact
    if rule == "generator":
        kept = (2 * crop_width > crop_height) & (crop_width < 2 * crop_height)
    elif rule == "annotation":
        kept = (2 * crop_width >= crop_height) & (5 * crop_width <= 11 * crop_height)
    else:
        kept = np.ones(len(index), dtype=bool)
    return np.flatnonzero(kept)
