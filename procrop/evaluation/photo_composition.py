"""What is measured in a photo before two photos are compared in composition; the formulas are in
functional/composition.py."""

from dataclasses import dataclass

import cv2
import numpy as np

from .functional.composition import (
    orientation_agreement,
    orientation_histogram,
    position_agreement,
    saliency_centroid,
)

_EDGE_SIDE, _SALIENCY_SIDE = 320, 128  # long sides in pixels of the working sizes
_EDGE_BLUR = 1.4  # pixels
_EDGE_SHARE = (
    0.1  # of the pixels: those of the strongest gradient start an edge, half that gradient continues it
)
_EDGE_FLOOR = 8.0  # grey values per pixel: weaker gradients are noise
# standard deviations of centre and surround, as shares of the long side
_SCALES = ((0.01, 0.08), (0.02, 0.16), (0.04, 0.32))


@dataclass(frozen=True)
class PhotoComposition:
    """What two photos are compared by.

    Attributes:
        orientations: (bins,) length-weighted histogram of edge directions, sum 1.
        subject: (x, y) of the saliency centroid, [0, 1] of width and height.
    """

    orientations: np.ndarray
    subject: tuple[float, float]

    @classmethod
    def of(cls, photo: np.ndarray) -> "PhotoComposition":
        """Measure a photo (H, W, 3) uint8 RGB of any size."""
        return cls(orientation_histogram(*edge_pieces(photo)), saliency_centroid(saliency_map(photo)))

    def agreement(self, other: "PhotoComposition") -> tuple[float, float]:
        """Line-orientation agreement and subject-position agreement with another photo, both in [0, 1]."""
        return (
            orientation_agreement(self.orientations, other.orientations),
            position_agreement(self.subject, other.subject),
        )


def edge_pieces(photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions and lengths of a photo's edges, pixel by pixel.

    Edges are Canny's at a long side of 320 pixels, thinned to one pixel. The
    thresholds follow the photo: its strongest
    tenth of gradients start an edge, half that strength continues it.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        angles (n,) in radians, [0, pi), in the image (x right, y down): 0 horizontal, pi / 2 vertical; lengths
        (n,) in pixels of what an edge of that direction is long within its pixel, 1 to the root of 2.
    """
    grey = cv2.cvtColor(_resize(photo, _EDGE_SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), _EDGE_BLUR, borderType=cv2.BORDER_REPLICATE)
    # Scharr's kernel has a sum of 32 on either side, and its directions are the truest of size three
    dx, dy = cv2.Scharr(grey, cv2.CV_32F, 1, 0) / 32, cv2.Scharr(grey, cv2.CV_32F, 0, 1) / 32
    strength = np.hypot(dx, dy)
    high = max(float(np.quantile(strength, 1 - _EDGE_SHARE)), _EDGE_FLOOR / 2)
    as_int16 = [np.rint(g * 64).astype(np.int16) for g in (dx, dy)]
    edges = cv2.Canny(*as_int16, threshold1=high * 32, threshold2=high * 64, L2gradient=True) > 0
    edges = _without_stairs(edges)
    # an edge runs across its gradient
    angles = np.mod(np.arctan2(dy[edges], dx[edges]) + np.pi / 2, np.pi)
    return angles, 1 / np.maximum(np.abs(np.cos(angles)), np.abs(np.sin(angles)))


def _without_stairs(edges: np.ndarray) -> np.ndarray:
    """Take the corners out of edges (H, W) bool that run in stairs, so that each step is one diagonal move.

    Canny gives a diagonal edge that lies between pixels so, with twice the pixels that it is long.
    """
    padded = np.pad(edges, 1)
    left, above, below = padded[1:-1, :-2], padded[:-2, 1:-1], padded[2:, 1:-1]
    return edges & ~(left & (above | below))


def saliency_map(photo: np.ndarray) -> np.ndarray:
    """What stands out from its surround: centre-surround contrast of CIE Lab colours at three scales, summed.

    Args:
        photo: (H, W, 3) uint8 RGB.

    Returns:
        (h, w) float32, not negative, at a long side of 128 pixels.
    """
    lab = cv2.cvtColor(_resize(photo, _SALIENCY_SIDE).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    total = np.zeros(lab.shape[:2], np.float32)
    for centre, surround in _SCALES:
        inner, outer = (_blur(lab, share * _SALIENCY_SIDE) for share in (centre, surround))
        total += np.linalg.norm(inner - outer, axis=2)
    return total


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _resize(photo: np.ndarray, side: int) -> np.ndarray:
    """Scale a photo so that its long side is ``side``; small photos stay small, and no side falls below 1 pixel."""
    height, width = photo.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return photo if size == (width, height) else cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
