"""How much of what a model takes for the subject a crop keeps, where it knows it cell by cell."""

import numpy as np


def kept_evidence(boxes: np.ndarray, evidence: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Share of a map's mass that lies in each crop, (n,) in [0, 1]; 1 for a map without mass.

    Args:
        boxes: (n, 4) xyxy in pixels of a photo, inside it.
        evidence: (h, w) at least 0, over the whole photo.
        size: (width, height) of the photo.
    """
    masses, _ = _masses(boxes, evidence, size)
    total = float(np.sum(evidence, dtype=np.float64))
    return np.minimum(masses / total, 1.0) if total > 0 else np.ones(len(boxes))


def evidence_centres(boxes: np.ndarray, evidence: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where the map's mass within each crop has its centre, (n, 2) x, y in pixels; the crop's centre where it has none.
    Arguments as for :func:`kept_evidence`."""
    masses, moments = _masses(boxes, evidence, size)
    inside = np.where(masses[:, None] > 0, moments / np.maximum(masses, 1e-300)[:, None], 0.5)
    return boxes[:, :2] + inside * (boxes[:, 2:] - boxes[:, :2])


def _masses(boxes: np.ndarray, evidence: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mass (n,) in each box, and the sums (n, 2) of mass times place in the box, from 0 to 1 along x and y."""
    from procrop.generation.curation.principles.raster_shares import covered

    level = np.asarray(evidence, np.float64)
    cells = np.asarray(boxes, np.float64) * np.tile(np.array(level.shape[::-1]) / size, 2)
    x, middle_x = covered(cells[:, [0, 2]], level.shape[1])
    y, middle_y = covered(cells[:, [1, 3]], level.shape[0])
    moments = [((y @ level) * x * middle_x).sum(axis=1), (((y * middle_y) @ level) * x).sum(axis=1)]
    return ((y @ level) * x).sum(axis=1), np.stack(moments, axis=1)
