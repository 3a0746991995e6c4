"""Boxes as numpy arrays: conversions, clipping, areas, overlap and boundary displacement.

Every function takes anything ``numpy.asarray`` takes with a last axis of 4 and returns new float64 arrays.
The usual form is ``xyxy``: left, top, right, bottom edge in pixels of the upright photo, without the "+1" of
integer boxes. A photo's size is always ``(width, height)``.
"""

import numpy as np
from numpy.typing import ArrayLike


def _as_boxes(boxes: ArrayLike) -> np.ndarray:
    """Return ``boxes`` as float64 (..., 4); an empty list becomes (0, 4)."""
    array = np.asarray(boxes, dtype=np.float64)
    if array.ndim == 1 and array.size == 0:
        array = array.reshape(0, 4)
    if array.ndim == 0 or array.shape[-1] != 4:
        raise ValueError(f"boxes need a last axis of 4 numbers, got an array of shape {array.shape}")
    return array


def _scale(size: tuple[float, float]) -> np.ndarray:
    """Return (w, h, w, h) as float64, after a look at its sign."""
    width, height = size
    if not (width > 0 and height > 0):
        raise ValueError(f"a photo's size is (width, height), both above 0, got {size}")
    return np.array([width, height, width, height], dtype=np.float64)


def xywh_to_xyxy(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) left, top, width, height to ``xyxy``."""
    boxes = _as_boxes(boxes)
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) ``xyxy`` to left, top, width, height."""
    boxes = _as_boxes(boxes)
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=-1)


def yxyx_to_xyxy(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) top, left, bottom, right (the order of GAICD and FLMS files) to ``xyxy``."""
    return _as_boxes(boxes)[..., [1, 0, 3, 2]]


def xyxy_to_yxyx(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) ``xyxy`` to top, left, bottom, right (the order of GAICD and FLMS files)."""
    return _as_boxes(boxes)[..., [1, 0, 3, 2]]


def xyxy_to_cxcywh(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) ``xyxy`` to centre x, centre y, width, height."""
    boxes = _as_boxes(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: ArrayLike) -> np.ndarray:
    """Convert (..., 4) centre x, centre y, width, height to ``xyxy``."""
    boxes = _as_boxes(boxes)
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def normalise_boxes(boxes: ArrayLike, size: tuple[float, float]) -> np.ndarray:
    """Divide (..., 4) pixel boxes, ``xyxy`` or ``cxcywh``, by the photo's (width, height).

    Raises:
        ValueError: If the size is not positive.
    """
    return _as_boxes(boxes) / _scale(size)


def denormalise_boxes(boxes: ArrayLike, size: tuple[float, float]) -> np.ndarray:
    """Multiply (..., 4) normalised boxes, ``xyxy`` or ``cxcywh``, by the photo's (width, height).

    Raises:
        ValueError: If the size is not positive.
    """
    return _as_boxes(boxes) * _scale(size)


def clip_boxes(boxes: ArrayLike, size: tuple[float, float]) -> np.ndarray:
    """Clip (..., 4) ``xyxy`` pixel boxes to a photo of (width, height).

    A box wholly outside becomes a box of no area on the nearest edge; NaN stays NaN.

    Raises:
        ValueError: If the size is not positive.
    """
    return np.clip(_as_boxes(boxes), 0.0, _scale(size))


def box_area(boxes: ArrayLike) -> np.ndarray:
    """Area (...) of (..., 4) ``xyxy`` boxes; 0 where right is left of left or bottom above top."""
    boxes = _as_boxes(boxes)
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)


def aspect_ratio(boxes: ArrayLike) -> np.ndarray:
    """Width / height (...) of (..., 4) ``xyxy`` boxes; NaN for a height of 0 or less or a negative width."""
    boxes = _as_boxes(boxes)
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    valid = (height > 0) & (width >= 0)
    return np.where(valid, width / np.where(valid, height, 1.0), np.nan)


def _pairwise(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Shape (N, 4) and (M, 4) boxes to broadcast over pairs: (N, 1, 4) and (1, M, 4)."""
    a, b = _as_boxes(a), _as_boxes(b)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"pairs are made of (N, 4) and (M, 4) boxes, got shapes {a.shape} and {b.shape}")
    return a[:, None, :], b[None, :, :]


def _overlap(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of intersection and of union, each (N, M), of broadcast ``xyxy`` boxes."""
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    intersection = np.prod(np.maximum(high - low, 0.0), axis=-1)
    return intersection, box_area(a) + box_area(b) - intersection


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0 (two boxes of no area)."""
    safe = denominator != 0
    return np.where(safe, numerator / np.where(safe, denominator, 1.0), 0.0)


def box_iou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Intersection over union of every pair.

    Args:
        a: (N, 4) ``xyxy``.
        b: (M, 4) ``xyxy`` in the same frame.

    Returns:
        (N, M) float64 in [0, 1]; 0 for two boxes of no area; NaN where a box holds NaN.

    Raises:
        ValueError: If an input is not a list of boxes.
    """
    return _ratio(*_overlap(*_pairwise(a, b)))


def box_giou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Generalised IoU of every pair: IoU less the share of the enclosing box that the union leaves empty.

    Args:
        a: (N, 4) ``xyxy``.
        b: (M, 4) ``xyxy`` in the same frame.

    Returns:
        (N, M) float64 in (-1, 1].

    Raises:
        ValueError: If an input is not a list of boxes.
    """
    a, b = _pairwise(a, b)
    intersection, union = _overlap(a, b)
    low = np.minimum(a[..., :2], b[..., :2])
    high = np.maximum(a[..., 2:], b[..., 2:])
    enclosing = np.prod(np.maximum(high - low, 0.0), axis=-1)
    return _ratio(intersection, union) - _ratio(enclosing - union, enclosing)


def boundary_displacement(a: ArrayLike, b: ArrayLike, size: tuple[float, float]) -> np.ndarray:
    """Mean distance of the four edges of every pair, each as a share of the side it moves along.

    Disp = 1/4 [(|dx1| + |dx2|) / W + (|dy1| + |dy2|) / H].

    Args:
        a: (N, 4) ``xyxy`` pixels.
        b: (M, 4) ``xyxy`` pixels of the same photo.
        size: The photo's (width, height).

    Returns:
        (N, M) float64; at most 1 for boxes inside the photo.

    Raises:
        ValueError: If an input is not a list of boxes or the size is not positive.
    """
    a, b = _pairwise(a, b)
    return np.mean(np.abs(a - b) / _scale(size), axis=-1)
