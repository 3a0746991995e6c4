"""How crops lie over the cells of a raster."""

import numpy as np


def covered(spans: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Spans (n, 2) over cells of length 1: the length in each cell (n, cells), and its middle in the span, 0 to 1."""
    left = np.maximum(spans[:, :1], np.arange(cells))
    right = np.minimum(spans[:, 1:], np.arange(1, cells + 1))
    middle = ((left + right) / 2 - spans[:, :1]) / (spans[:, 1:] - spans[:, :1])
    return np.maximum(right - left, 0.0), middle


def mass_in(raster: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Sum of a raster (h, w) over each of boxes (n, 4) ``xyxy``, shares of its sides; cells count by the share of them
    that lies inside. (n,) float64."""
    rows, columns = raster.shape
    x, _ = covered(boxes[:, [0, 2]] * columns, columns)
    y, _ = covered(boxes[:, [1, 3]] * rows, rows)
    return ((y @ np.asarray(raster, np.float64)) * x).sum(axis=1)
