"""How much a crop is composed as given photos are: what references of professional photos say about it."""

import numpy as np

from .principles.raster_shares import covered

CELLS = 6  # of a layout, a side
_SHARPNESS = 20.0  # how much more the references that a crop resembles most count than their mean


def composition_layout(subject: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """How what draws the eye is spread over crops.

    Args:
        subject: (h, w) float, at least 0: how much each cell of the photo belongs to the subject.
        boxes: (n, 4) ``xyxy`` as shares of the photo's sides, of positive area.

    Returns:
        (n, 36) float64: square roots of the shares of the crop's mass in each of its 6 by 6 cells, row by row; a crop
        without any mass has all of them equal. So the inner product of two is their Bhattacharyya coefficient.
    """
    boxes = np.asarray(boxes, np.float64)
    rows, columns = np.shape(subject)
    x = _cells(boxes[:, [0, 2]], columns)
    y = _cells(boxes[:, [1, 3]], rows)
    mass = np.einsum("nar,rc,nbc->nab", y, np.asarray(subject, np.float64), x, optimize=True)
    mass = mass.reshape(len(boxes), -1).clip(min=0)
    total = mass.sum(axis=1, keepdims=True)
    return np.sqrt(np.where(total > 0, mass / np.where(total > 0, total, 1.0), 1.0 / mass.shape[1]))


def composition_match(layouts: np.ndarray, references: np.ndarray) -> np.ndarray:
    r"""How near crops are to the most similar of references, left and right regarded as equal.

    With β the Bhattacharyya coefficient of two layouts and R the references and their mirror images:
    ln(mean over R of exp(20 · β)) / 20, at most 1.

    Args:
        layouts: (n, 36) of crops, as `composition_layout` gives them.
        references: (k, 36) of whole photos, k at least 1.
    """
    grid = references.reshape(-1, CELLS, CELLS)
    both = np.concatenate([grid, grid[:, :, ::-1]]).reshape(-1, CELLS * CELLS)
    return np.log(np.exp(_SHARPNESS * (layouts @ both.T)).mean(axis=1)) / _SHARPNESS


def _cells(spans: np.ndarray, raster: int) -> np.ndarray:
    """Shares (n, 6, raster) of a raster's cells along one side that lie in each sixth of spans (n, 2)."""
    edges = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * np.linspace(0, 1, CELLS + 1)
    parts = np.stack([edges[:, :-1], edges[:, 1:]], axis=2).reshape(-1, 2) * raster
    return covered(parts, raster)[0].reshape(len(spans), CELLS, raster)
