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


def kept_share(boxes: ArrayLike, area: ArrayLike) -> np.ndarray:
    """Share of an area that lies in each box.

    Args:
        boxes: (n, 4) ``xyxy``.
        area: (4,) ``xyxy`` in the same frame, of positive size.

    Returns:
        (n,) float64 in [0, 1]; exactly 1 where a box contains the area.
    """
    boxes, area = _as_boxes(boxes), _as_boxes(area)
    low, high = np.maximum(boxes[:, :2], area[:2]), np.minimum(boxes[:, 2:], area[2:])
    return np.prod(np.maximum(high - low, 0.0), axis=1) / max(float(box_area(area)), 1e-12)


def aspect_ratio(boxes: ArrayLike) -> np.ndarray:
    """Width / height (...) of (..., 4) ``xyxy`` boxes; NaN for a height of 0 or less or a negative width."""
    boxes = _as_boxes(boxes)
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    valid = (height > 0) & (width >= 0)
    return np.where(valid, width / np.where(valid, height, 1.0), np.nan)


def _pairwise(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Bring (..., N, 4) and (..., M, 4) boxes to edges that broadcast over pairs: (4, ..., N, 1), (4, ..., 1, M).

    The four edges lie apart in memory, so that what follows runs over whole rows of numbers.
    """
    a, b = _as_boxes(a), _as_boxes(b)
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError(f"pairs are made of (N, 4) and (M, 4) boxes, got shapes {a.shape} and {b.shape}")
    a, b = (np.ascontiguousarray(np.moveaxis(boxes, -1, 0)) for boxes in (a, b))
    return a[..., :, None], b[..., None, :]


def _edge_area(edges: np.ndarray) -> np.ndarray:
    """Area of boxes whose four edges are the first axis."""
    return np.maximum(edges[2] - edges[0], 0.0) * np.maximum(edges[3] - edges[1], 0.0)


def _overlap(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Areas of intersection and of union, each (..., N, M), of what :func:`_pairwise` gives."""
    sides = []
    for low, high in ((0, 2), (1, 3)):
        side = np.minimum(a[high], b[high])
        side -= np.maximum(a[low], b[low])
        sides.append(np.maximum(side, 0.0, out=side))
    intersection = np.multiply(*sides, out=sides[0])
    union = np.add(_edge_area(a), _edge_area(b), out=sides[1])
    union -= intersection
    return intersection, union


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide areas, with 0 where the denominator is 0 (two boxes of no area)."""
    return numerator / np.maximum(denominator, np.finfo(np.float64).tiny)


def box_iou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Intersection over union of every pair.

    Args:
        a: (..., N, 4) ``xyxy``.
        b: (..., M, 4) ``xyxy`` in the same frame; leading axes, e.g. one of photos, broadcast.

    Returns:
        (..., N, M) float64 in [0, 1]; 0 for two boxes of no area; NaN where a box holds NaN.

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
    hull = [*(np.minimum(a[i], b[i]) for i in (0, 1)), *(np.maximum(a[i], b[i]) for i in (2, 3))]
    enclosing = _edge_area(np.stack(hull))
    return _ratio(intersection, union) - _ratio(enclosing - union, enclosing)


def boundary_displacement(a: ArrayLike, b: ArrayLike, size: ArrayLike) -> np.ndarray:
    """Mean distance of the four edges of every pair, each as a share of the side it moves along.

    Disp = 1/4 [(|dx1| + |dx2|) / W + (|dy1| + |dy2|) / H].

    Args:
        a: (..., N, 4) ``xyxy`` pixels.
        b: (..., M, 4) ``xyxy`` pixels of the same photo; leading axes, e.g. one of photos, broadcast.
        size: The photo's (width, height), or (..., 2) for leading axes.

    Returns:
        (..., N, M) float64; at most 1 for boxes inside the photo.

    Raises:
        ValueError: If an input is not a list of boxes or the size is not positive.
    """
    a, b = _pairwise(a, b)
    size = np.asarray(size, dtype=np.float64)
    if size.shape[-1:] != (2,) or not (size > 0).all():
        raise ValueError(f"a photo's size is (width, height), both above 0, got {size.tolist()}")
    total = None
    for axis in (0, 1):
        shift = _distance(a[axis], b[axis])
        shift += _distance(a[axis + 2], b[axis + 2])
        shift /= size[..., axis, None, None]
        total = shift if total is None else np.add(total, shift, out=total)
    return np.divide(total, 4.0, out=total)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    difference = np.subtract(a, b)
    return np.abs(difference, out=difference)
