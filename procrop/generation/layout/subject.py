"""Where a photo's subject is: the part that stands out most, the middle preferred."""

from dataclasses import dataclass

import cv2
import numpy as np

from procrop.evaluation.photo_composition import saliency_map

_CENTRE_BIAS = 0.4  # standard deviation of the preference for the middle, as a share of the frame
_THRESHOLD = 2.0  # times the mean saliency (Achanta et al. 2009)
_SAME = 0.95  # components that stand out as much as the strongest belong to the subject
_SMALLEST = 0.004  # of the frame


@dataclass(frozen=True)
class Subject:
    """The salient subject.

    Attributes:
        box: (x1, y1, x2, y2) as fractions of the frame.
        point: (x, y) centroid of what stands out, in the frame.
        strength: Share of the photo's saliency that lies in it, in [0, 1].
        mask: (h, w) bool on the raster of the saliency map.
    """

    box: tuple[float, float, float, float]
    point: tuple[float, float]
    strength: float
    mask: np.ndarray


def find_subject(photo: np.ndarray, both_views: bool = True) -> Subject | None:
    """The component of the thresholded saliency that stands out most; None where nothing does.

    Mirrored photos have mirrored subjects: the map is the mean of the photo's and of its mirror image's.

    Args:
        photo: (h, w, 3) uint8 RGB at its working size.
        both_views: False takes the photo's map alone, which costs half as much and differs in the rounding of sums.
    """
    saliency = _salient(photo)
    if both_views:
        saliency = (saliency + _salient(np.ascontiguousarray(photo[:, ::-1]))[:, ::-1]) / 2
    height, width = saliency.shape
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    far = (x[None] - 0.5) ** 2 + (y[:, None] - 0.5) ** 2
    saliency = saliency * np.exp(-far / (2 * _CENTRE_BIAS**2))
    if saliency.mean() < 1.0:  # Lab units: noise
        return None
    mask = saliency > _THRESHOLD * saliency.mean()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    mass = np.bincount(labels.ravel(), saliency.ravel(), count)
    mass[0] = 0
    mass[stats[:, cv2.CC_STAT_AREA] < _SMALLEST * mask.size] = 0
    if not mass.max() > 0:
        return None
    chosen = np.isin(labels, np.flatnonzero(mass >= _SAME * mass.max()))
    weight = np.where(chosen, saliency, 0)
    total = float(weight.sum())
    rows, columns = np.flatnonzero(chosen.any(axis=1)), np.flatnonzero(chosen.any(axis=0))
    box = columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height
    point = float(weight.sum(axis=0) @ x / total), float(weight.sum(axis=1) @ y / total)
    return Subject(tuple(float(v) for v in box), point, total / float(saliency.sum()), chosen)


def _salient(photo: np.ndarray) -> np.ndarray:
    """(h, w) float32 in Lab units: what stands out both from its surround and from the whole photo.

    Contrast with the surround alone has a halo around each thing, contrast with the whole (frequency-tuned saliency,
    Achanta et al. 2009) a sky or a floor; their geometric mean has neither.
    """
    surround = saliency_map(photo)
    height, width = surround.shape
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    mean = lab.mean(axis=(0, 1))
    whole = np.linalg.norm(cv2.GaussianBlur(lab, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE) - mean, axis=2)
    return np.sqrt(surround * whole)
