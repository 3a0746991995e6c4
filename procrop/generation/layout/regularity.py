"""How symmetric a photo is, and how evenly it is filled by the same texture."""

import cv2
import numpy as np

_SIDE = 48  # pixels of the raster that is compared with its mirror image
_SMOOTH = 0.15  # of the frame: slower changes (light, vignettes) are no structure
_NOISE = 3.0  # Lab units
_CELLS = 6
_BINS = 8
_FLAT = 4.0  # grey values per pixel: weaker gradients are no texture


def mirror_symmetry(lab: np.ndarray) -> tuple[float, float]:
    """How like its mirror image a photo is, across its vertical and its horizontal middle.

    What is the same along the mirrored axis counts for nothing: a stack of horizontal bands is no symmetry across the
    vertical middle. Nor does what lies within the middle alone: that is a thing in the middle.

    Args:
        lab: (h, w, 3) float32 CIE Lab.

    Returns:
        Likenesses in [0, 1], times the share of structure outside the middle half of either side (1 from 40 % on).
    """
    raster = cv2.resize(lab, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    raster = raster - cv2.GaussianBlur(raster, (0, 0), _SMOOTH * _SIDE, borderType=cv2.BORDER_REPLICATE)
    return _symmetry(raster), _symmetry(raster.transpose(1, 0, 2))


def _symmetry(raster: np.ndarray) -> float:
    """Symmetry across the vertical middle of a square (s, s, c)."""
    # the median, as the mean would spread a thing in the middle over its whole row
    detail = raster - np.median(raster, axis=1, keepdims=True)
    energy = (detail**2).sum(axis=2)
    total = float(energy.sum())
    if total < _FLAT * raster.size / 3:
        return 0.0
    # one strong spot must not speak for all: a pixel counts by its root, less what noise has
    weight = np.maximum(np.sqrt(energy) - _NOISE, 0)
    unit = detail / np.maximum(np.sqrt(energy), 1e-6)[..., None]
    agreement = (unit * unit[:, ::-1]).sum(axis=2)
    both = np.minimum(weight, weight[:, ::-1])
    either = np.maximum(weight, weight[:, ::-1])
    likeness = float((agreement * both).sum() / max(either.sum(), 1e-6))
    quarter = raster.shape[1] // 4
    middle = weight[quarter:-quarter, quarter:-quarter].sum()
    outer = 1 - float(middle / max(weight.sum(), 1e-6))
    return max(0.0, likeness) * min(1.0, outer / 0.4)


def pattern_strength(grey: np.ndarray) -> float:
    """How evenly a photo is filled by one texture.

    Args:
        grey: (h, w) float32 grey values.

    Returns:
        In [0, 1]: the tenth of 36 cells with the least texture against the mean, times the agreement of the cells'
        edge directions with the whole photo's.
    """
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    strength = np.hypot(dx, dy)
    strength[strength < _FLAT] = 0
    bins = (np.mod(np.arctan2(dy, dx), np.pi) / np.pi * _BINS).astype(int) % _BINS
    rows = np.arange(grey.shape[0]) * _CELLS // grey.shape[0]
    columns = np.arange(grey.shape[1]) * _CELLS // grey.shape[1]
    place = (rows[:, None] * _CELLS + columns[None]) * _BINS + bins
    cells = np.bincount(place.ravel(), strength.ravel(), _CELLS * _CELLS * _BINS).reshape(-1, _BINS)
    pixels = np.bincount((rows[:, None] * _CELLS + columns[None]).ravel(), minlength=_CELLS * _CELLS)
    density = cells.sum(axis=1) / np.maximum(pixels, 1)
    if density.mean() < _FLAT / 2:
        return 0.0
    evenness = float(np.quantile(density, 0.1) / density.mean())
    whole = cells.sum(axis=0) / cells.sum()
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1e-6)
    agreement = float(np.minimum(shares, whole).sum(axis=1).mean())
    return evenness * agreement
