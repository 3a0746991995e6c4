"""The combination of lines in a photo as a vector: which lines, where, in which direction and how long.

Places, directions and lengths are taken in the frame of the photo, x and y from 0 to 1, so that the line from corner to
corner is the same whatever the photo's format. The assumption that line combinations characterise a composition is
that of the paper's Method section (after Lee et al. 2018 and Ko, Jin and Kim 2024).
"""

from dataclasses import dataclass

import cv2
import numpy as np

# contrast is brought to this standard deviation of grey values, but raised by no more than the factor below, which
# would make edges of noise and of the steps of 8 bits
_TARGET_STD, _MAX_GAIN = 55.0, 3.0
_BLUR = 1.0  # standard deviation in pixels of the working size; noise and JPEG blocks fall below the detector
_SHORTEST = 0.05  # segments below this share of the frame are texture
_MOST_SEGMENTS = 250  # the longest are kept: the comparison of all pairs stays cheap on grass and foliage
# how far two segments may be out of line and still be pieces of one line
_SAME_ANGLE, _SAME_OFFSET, _SAME_GAP = np.deg2rad(5.0), 0.012, 0.08
_LENGTH_RANGE = (0.08, 0.7)  # centres of the first and the last bin of lengths
_FAINT = 0.05  # mass of lines at which a photo counts as half featureless
_BIAS = 0.3  # the constant part of a key, as a share of the part that says where the lines are


@dataclass(frozen=True)
class LineBins:
    """The bins of the histogram of lines.

    Attributes:
        grid: (rows, columns) of places.
        orientations: Directions over half a turn; the first is horizontal.
        lengths: Bins of length on a logarithmic scale.
    """

    grid: tuple[int, int] = (8, 8)
    orientations: int = 12
    lengths: int = 2

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(rows, columns, orientations, lengths)."""
        return (*self.grid, self.orientations, self.lengths)


def line_key(image: np.ndarray, bins: LineBins) -> np.ndarray:
    """Describe the lines of a photo by a vector of length one, to be compared by cosine.

    Args:
        image: (H, W, 3) uint8 RGB at its working size, a few hundred pixels.
        bins: The bins.

    Returns:
        (d + 1,) float32 with d the product of ``bins.shape``. The first d values are the square roots of
        `line_histogram` over the photo at full and at half size, scaled to the length M / (M + 0.05), where M is the
        mass of lines (1 for one line across the frame). The last one is a constant: a photo without any line
        is made of it alone, so its nearest neighbours are those with the fewest and shortest lines.
    """
    grey = normalised_grey(image)
    half = cv2.resize(
        grey, (max(grey.shape[1] // 2, 2), max(grey.shape[0] // 2, 2)), interpolation=cv2.INTER_AREA
    )
    histogram = np.zeros(bins.shape)
    for scale in (grey, half):
        segments = find_segments(scale)
        histogram += line_histogram(segments, line_lengths(segments), bins) / 2
    mass = histogram.sum()
    direction = np.sqrt(histogram.ravel() / mass) if mass > 0 else histogram.ravel()
    key = np.append(direction * mass / (mass + _FAINT), _BIAS)
    return (key / np.linalg.norm(key)).astype(np.float32)


def normalised_grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8 grey values, slightly blurred, of a common brightness and contrast."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), _BLUR, borderType=cv2.BORDER_REPLICATE)
    gain = min(_MAX_GAIN, _TARGET_STD / max(float(grey.std()), 1e-6))
    return np.rint(np.clip((grey - grey.mean()) * gain + 127.5, 0, 255)).astype(np.uint8)


def find_segments(grey: np.ndarray) -> np.ndarray:
    """Find straight line segments (Line Segment Detector, von Gioi et al. 2010, as OpenCV has it).

    Args:
        grey: (H, W) uint8.

    Returns:
        (n, 4) float64 ``x1 y1 x2 y2`` in the photo's frame, [0, 1], the longest first; n is at most 250.
    """
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return np.zeros((0, 4))
    height, width = grey.shape
    size = np.array([width, height, width, height], np.float64)
    segments = np.clip((found.reshape(-1, 4).astype(np.float64) + 0.5) / size, 0, 1)
    lengths = _lengths(segments)
    order = np.argsort(-lengths, kind="stable")[:_MOST_SEGMENTS]
    return segments[order[lengths[order] >= _SHORTEST]]


def _lengths(segments: np.ndarray) -> np.ndarray:
    return np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])


def line_lengths(segments: np.ndarray) -> np.ndarray:
    """Length of the line that each segment is a piece of.

    A segment counts its own length and that of the others, each weighted by how well it continues the segment (a
    Gaussian of the difference in angle, of the offset across and of the gap along the line). So a line that noise has
    broken into pieces weighs as much as the whole line, without a hard decision on what belongs together.

    Args:
        segments: (n, 4) in the photo's frame.

    Returns:
        (n,) float64, at most 1.
    """
    span = segments[:, 2:] - segments[:, :2]
    length = _lengths(segments)
    along = span / np.maximum(length, 1e-9)[:, None]
    middle = (segments[:, :2] + segments[:, 2:]) / 2
    between = middle[None] - middle[:, None]  # (n, n, 2), from i to j
    sine = along[:, None, 0] * along[None, :, 1] - along[:, None, 1] * along[None, :, 0]
    across = np.abs(between[..., 0] * along[:, None, 1] - between[..., 1] * along[:, None, 0])
    across = np.maximum(across, across.T)
    distance = np.abs((between * along[:, None]).sum(axis=2))
    gap = np.maximum(0, distance - (length[:, None] + length[None]) / 2)
    misfit = (sine / np.sin(_SAME_ANGLE)) ** 2 + (across / _SAME_OFFSET) ** 2 + (gap / _SAME_GAP) ** 2
    return np.minimum(np.exp(-misfit / 2) @ length, 1.0)


def line_histogram(segments: np.ndarray, lengths: np.ndarray, bins: LineBins) -> np.ndarray:
    """Spread segments over bins of place, direction and length, each softly over neighbouring bins.

    Args:
        segments: (n, 4) in the photo's frame.
        lengths: (n,) length of the line that each is a piece of, as `line_lengths` gives it.
        bins: The bins.

    Returns:
        ``bins.shape`` float64. A segment adds its length times the square of its line's: a line outweighs by far
        the texture that is as long in sum.
    """
    own = _lengths(segments)
    angle = np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0]) / np.pi
    direction = _soft_bins(angle * bins.orientations, bins.orientations, circular=True)
    low, high = np.log(_LENGTH_RANGE)
    step = (np.log(np.maximum(lengths, 1e-9)) - low) / (high - low) * (bins.lengths - 1)
    kind = direction[:, :, None] * _soft_bins(step, bins.lengths)[:, None]
    # a segment is as many points as it takes to visit every cell on its way
    count = np.maximum(2, np.ceil(own * 4 * max(bins.grid))).astype(int)
    row = np.repeat(np.arange(len(own)), count)
    position = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    share = ((position + 0.5) / count[row])[:, None]
    points = segments[row, :2] * (1 - share) + segments[row, 2:] * share
    down = _soft_bins(points[:, 1] * bins.grid[0] - 0.5, bins.grid[0])
    across = _soft_bins(points[:, 0] * bins.grid[1] - 0.5, bins.grid[1])
    place = (down[:, :, None] * across[:, None]).reshape(len(row), bins.grid[0] * bins.grid[1])
    weight = (own * lengths**2 / count)[row, None]
    kinds = kind.reshape(len(own), bins.orientations * bins.lengths)
    return (place.T @ (kinds[row] * weight)).reshape(bins.shape)


def _soft_bins(values: np.ndarray, number: int, circular: bool = False) -> np.ndarray:
    """Spread each value (n,), in units of bins, over the bins (n, number) by a quadratic B-spline; rows sum to one.

    The centre of bin i is at i. Beyond the first and the last centre a value belongs to that bin alone, or, on a
    circle, to the bins on the other side.
    """
    if not circular:
        values = np.clip(values, 0, number - 1)
    nearest = np.rint(values).astype(int)
    rest = values - nearest
    weights = np.zeros((len(values), number))
    rows = np.arange(len(values))
    for shift, weight in ((-1, (0.5 - rest) ** 2 / 2), (0, 0.75 - rest**2), (1, (0.5 + rest) ** 2 / 2)):
        place = nearest + shift
        place = place % number if circular else np.clip(place, 0, number - 1)
        np.add.at(weights, (rows, place), weight)
    return weights
