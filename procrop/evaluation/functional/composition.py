"""How far two photos agree in composition: the directions of their edges, and where their subjects are."""

import math

import numpy as np
from numpy.typing import ArrayLike

#: directions over half a turn that a histogram tells apart
ORIENTATION_BINS = 12


def orientation_histogram(angles: ArrayLike, lengths: ArrayLike, bins: int = ORIENTATION_BINS) -> np.ndarray:
    """Distribute lengths of edges over directions.

    The centre of bin i is at i half turns / ``bins``; a length is shared linearly by the two bins around its angle.

    Args:
        angles: (n,) directions of edges in radians, any multiple of pi added; 0 is horizontal.
        lengths: (n,) their lengths in any one unit, not negative.
        bins: Number of bins, at least 2.

    Returns:
        (bins,) float64 of sum 1; all equal when there is no edge, as no direction is preferred then.

    Raises:
        ValueError: Fewer than two bins, or lengths that are negative or not one per angle.
    """
    if bins < 2:
        raise ValueError(f"bins must be at least 2, not {bins}")
    angles, lengths = np.asarray(angles, np.float64), np.asarray(lengths, np.float64)
    if angles.shape != lengths.shape or angles.ndim != 1 or (lengths < 0).any():
        raise ValueError("angles and lengths must be two arrays (n,), no length negative")
    total = lengths.sum()
    if total == 0:
        return np.full(bins, 1 / bins)
    place = np.mod(angles / np.pi * bins, bins)
    lower = np.floor(place)
    upper_share = place - lower
    lower = lower.astype(int) % bins
    histogram = np.bincount(lower, lengths * (1 - upper_share), bins)
    histogram += np.bincount((lower + 1) % bins, lengths * upper_share, bins)
    return histogram / total


def orientation_agreement(first: ArrayLike, second: ArrayLike) -> float:
    """Intersection of two histograms of sum 1: the sum of the smaller of both values, 1 minus the total variation.

    Args:
        first: (bins,) from `orientation_histogram`.
        second: (bins,) the same of another photo.

    Returns:
        In [0, 1]: 1 for equal histograms, 0 when no direction occurs in both.

    Raises:
        ValueError: Two different numbers of bins.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"histograms of {first.shape} and {second.shape} bins cannot be compared")
    return float(np.minimum(np.minimum(first, second).sum(), 1.0))


def saliency_centroid(saliency: ArrayLike) -> tuple[float, float]:
    """Centroid of what stands out in a map.

    A pixel weighs what its saliency exceeds the map's mean by, squared, so that the background, low but large,
    does not draw the centroid to the middle.

    Args:
        saliency: (h, w), any scale, larger where the photo draws attention.

    Returns:
        (x, y) in [0, 1] of the width and the height; (0.5, 0.5) for a map without contrast.

    Raises:
        ValueError: No map of at least one pixel.
    """
    saliency = np.asarray(saliency, np.float64)
    if saliency.ndim != 2 or saliency.size == 0:
        raise ValueError(f"a saliency map is (h, w) with at least one pixel, not {saliency.shape}")
    weight = np.maximum(saliency - saliency.mean(), 0) ** 2
    total = weight.sum()
    if not total > 0:
        return 0.5, 0.5
    height, width = saliency.shape
    x = weight.sum(axis=0) @ (np.arange(width) + 0.5) / (width * total)
    y = weight.sum(axis=1) @ (np.arange(height) + 0.5) / (height * total)
    return float(x), float(y)


def position_agreement(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Nearness of two subjects: 1 minus the distance of their centroids as a share of the diagonal.

    Args:
        first: (x, y) in [0, 1] from `saliency_centroid`.
        second: (x, y) of another photo.

    Returns:
        In [0, 1]: 1 for the same place, 0 for opposite corners.
    """
    return 1 - math.dist(first, second) / math.sqrt(2)
