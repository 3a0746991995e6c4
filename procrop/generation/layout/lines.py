"""How much of a photo's lines is horizontal, vertical, diagonal, meets in a triangle or bends."""

import cv2
import numpy as np

from procrop.retrieval.line_descriptor import line_lengths

_LONG = 0.3  # shorter lines, as shares of the frame, say little about the composition
_FLAT, _STEEP = np.deg2rad(10), np.deg2rad(80)  # up to here horizontal, from here vertical
_SLANTED = np.deg2rad(22), np.deg2rad(68)
_HORIZON_LENGTH = 0.6
# a horizon without a line: rows and columns of the raster, rows that are compared on either side, Lab units of change
_STEP_ROWS, _STEP_COLUMNS, _STEP_REACH, _STEP_CHANGE = 48, 4, 6, 16.0
# legs of a triangle: their shortest piece, slopes, and how far from the apex they may end
_LEG_PIECE, _LEG_SLOPES, _APEX_GAP = 0.12, (np.deg2rad(20), np.deg2rad(80)), 0.12
_CURVE_STEP = 6.0  # pixels between the points of a curve
_CURVE_TURN = np.deg2rad(26)  # a sharper turn from point to point is a corner
_ROUND = np.deg2rad(300)  # what turns further is the outline of a thing


def line_masses(segments: np.ndarray) -> tuple[float, float, float, float]:
    """Mass of horizontal, vertical, rising and falling lines.

    Args:
        segments: (n, 4) ``x1 y1 x2 y2`` in the photo's frame, [0, 1].

    Returns:
        Sums over the pieces of long lines of their length times their line's; one line across the frame gives about
        1. Rising lines go from the lower left to the upper right.
    """
    if not len(segments):
        return 0.0, 0.0, 0.0, 0.0
    lengths, slopes, rising = line_lengths(segments), _slopes(segments), _rising(segments)
    weights = np.where(lengths >= _LONG, lengths, 0) * _own_lengths(segments)
    slanted = (slopes > _SLANTED[0]) & (slopes < _SLANTED[1])
    groups = slopes <= _FLAT, slopes >= _STEEP, slanted & rising, slanted & ~rising
    return tuple(float(weights[group].sum()) for group in groups)


def horizon_height(segments: np.ndarray) -> float | None:
    """Height y in [0, 1] from the top of the longest horizontal line that spans most of the width; None without one."""
    if not len(segments):
        return None
    lengths = np.where(_slopes(segments) <= _FLAT, line_lengths(segments), 0)
    best = lengths.max()
    if best < _HORIZON_LENGTH:
        return None
    pieces = segments[lengths >= 0.95 * best]
    return float(pieces[:, [1, 3]].mean())


def colour_step_height(lab: np.ndarray) -> float | None:
    """Height y in [0, 1] at which colours change alike in each fourth of the width; None where they do nowhere.

    Finds horizons that trees or waves break into pieces too short for lines.

    Args:
        lab: (h, w, 3) float32 CIE Lab.
    """
    bands = cv2.resize(lab, (_STEP_COLUMNS, _STEP_ROWS), interpolation=cv2.INTER_AREA)
    total = np.concatenate([np.zeros((1, *bands.shape[1:])), bands.cumsum(axis=0, dtype=np.float64)])
    rows = np.arange(_STEP_REACH, _STEP_ROWS - _STEP_REACH + 1)
    above, below = total[rows] - total[rows - _STEP_REACH], total[rows + _STEP_REACH] - total[rows]
    steps = (above - below) / _STEP_REACH
    mean = steps.mean(axis=1, keepdims=True)
    # the same change everywhere: leaves before a sky also change, but each part its own way
    change = ((steps * mean).sum(axis=2) / np.maximum(np.linalg.norm(mean, axis=2), 1e-6)).min(axis=1)
    best = int(change.argmax())
    return float(rows[best] / _STEP_ROWS) if change[best] >= _STEP_CHANGE else None


def triangle_size(segments: np.ndarray) -> float:
    """Length of the shorter leg of the largest pair of opposed slopes that meet in an apex; 0 without one.

    Both legs lie below the apex or both above it, and at least half of each is a line.
    """
    lengths, slopes = line_lengths(segments), _slopes(segments)
    usable = (slopes > _LEG_SLOPES[0]) & (slopes < _LEG_SLOPES[1]) & (_own_lengths(segments) >= _LEG_PIECE)
    rising = _rising(segments)
    first, second = np.flatnonzero(usable & rising), np.flatnonzero(usable & ~rising)
    if not len(first) or not len(second):
        return 0.0
    apex = _crossings(segments[first], segments[second])
    inside = ((apex > -0.05) & (apex < 1.05)).all(axis=2)
    legs, below = [], []
    for place, axis in ((first, 0), (second, 1)):
        ends = np.expand_dims(segments[place].reshape(-1, 2, 2), 1 - axis)
        distance = np.hypot(*np.moveaxis(ends - apex[:, :, None], -1, 0))
        reach = np.expand_dims(lengths[place], 1 - axis)
        near = distance.min(axis=2) <= _APEX_GAP
        # a line that goes on beyond the apex makes a cross
        legs.append(np.where(near & (reach >= distance.max(axis=2) / 2), distance.max(axis=2), 0))
        below.append(ends[..., 1].mean(axis=2) > apex[..., 1])
    size = np.minimum(*legs) * (inside & (below[0] == below[1]))
    return float(size.max())


def curve_size(edges: np.ndarray) -> float:
    """Extent of the largest smooth edge that bends, times how far it bends (1 from 60 degrees on); 0 without one.

    Args:
        edges: (h, w) bool, thin.

    Returns:
        In [0, 1]; the extent is the larger side of the curve's box as a share of the frame. Closed outlines do not
        count.
    """
    height, width = edges.shape
    contours, _ = cv2.findContours(edges.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    best = 0.0
    for contour in contours:
        points = contour[:, 0].astype(np.float64)
        if np.ptp(points, axis=0).max() < 0.3 * min(height, width):
            continue
        for run in _smooth_runs(_spaced(points)):
            extent = float((np.ptp(run, axis=0) / (width, height)).max())
            best = max(best, extent * _bend(run))
    return float(best)


def _bend(run: np.ndarray) -> float:
    """How far a chain of points bends, in [0, 1]; 0 for what goes round and for what winds to and fro."""
    step = run[2:] - run[:-2]
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    bend = float(np.ptp(heading))
    if bend >= _ROUND:
        return 0.0
    # 1 for an arc, 1/2 for an S, less for the outline of trees
    steady = bend / max(float(np.abs(np.diff(heading)).sum()), 1e-6)
    return float(np.clip((np.rad2deg(bend) - 25) / 35, 0, 1) * np.clip((steady - 0.25) / 0.2, 0, 1))


def _smooth_runs(points: np.ndarray) -> list[np.ndarray]:
    """Cut a chain of points at its corners."""
    if len(points) < 6:
        return []
    # headings over two steps: pixels are coarse
    step = points[2:] - points[:-2]
    turn = np.diff(np.arctan2(step[:, 1], step[:, 0]))
    turn = np.abs((turn + np.pi) % (2 * np.pi) - np.pi)
    corners = np.flatnonzero(turn > _CURVE_TURN) + 2
    return [run for run in np.split(points, corners) if len(run) >= 6]


def _spaced(points: np.ndarray) -> np.ndarray:
    """Points of a smoothed contour at even spaces."""
    smooth = cv2.GaussianBlur(points, (1, 9), 2.0, borderType=cv2.BORDER_REPLICATE)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(smooth, axis=0).T))])
    places = np.arange(0, along[-1], _CURVE_STEP)
    return np.stack([np.interp(places, along, smooth[:, axis]) for axis in (0, 1)], axis=1)


def _slopes(segments: np.ndarray) -> np.ndarray:
    """(n,) angles to the horizontal in the frame, 0 to half pi."""
    span = np.abs(segments[:, 2:] - segments[:, :2])
    return np.arctan2(span[:, 1], span[:, 0])


def _rising(segments: np.ndarray) -> np.ndarray:
    """(n,) bool: goes from the lower left to the upper right."""
    span = segments[:, 2:] - segments[:, :2]
    return span[:, 0] * span[:, 1] < 0


def _own_lengths(segments: np.ndarray) -> np.ndarray:
    return np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])


def _crossings(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) -> (n, m, 2): where the lines through the segments cross; their slopes are opposed."""
    p, q = first[:, None, :2], second[None, :, :2]
    r, s = first[:, None, 2:] - p, second[None, :, 2:] - q
    cross = r[..., 0] * s[..., 1] - r[..., 1] * s[..., 0]
    between = q - p
    along = (between[..., 0] * s[..., 1] - between[..., 1] * s[..., 0]) / cross
    return p + along[..., None] * r
