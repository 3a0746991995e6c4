"""How far the border of the known area stands out from lines beside it."""

from collections.abc import Iterator

import numpy as np

# grey values that are added on either side of a ratio, so that nothing stands out of a clear sky
_FLOOR = 1.0
# of the lines beside the border: as strong as this share of them is what a border may be
_QUANTILE = 0.9
# fewer lines than these say nothing about what is usual there
_FEWEST = 8
# lines this near to the border, on either side, take no part in what is usual
_GUARD = 2


def seam_figures(
    image: np.ndarray, known: tuple[int, int, int, int], reach: int = 48, band: int = 6, pieces: int = 8
) -> dict[str, float]:
    """Ratios of what is found across the border to what is found across lines parallel to it, at the worst side.

    Every line is as long as its side of the known area. Two things are measured across each:

    - gradient: the mean absolute difference of the pixels on its two sides;
    - colour: the line is cut into pieces; the root mean square over channels of the difference between the mean
      colours of two bands that touch the line, averaged over pieces. Texture cancels out, a step in colour does not.

    Each is divided by the value that nine in ten of the lines beside it stay below; one grey value is added to both.
    A side on the canvas's edge is no seam. Bands reach over the border while they are near it, so lines closer than
    the band's width take no part in what is usual for colours.

    Args:
        image: (H, W, 3) uint8 RGB.
        known: (x1, y1, x2, y2) whole pixels.
        reach: Pixels on either side of the border in which the lines lie; a band further for the gradient.
        band: Pixels that a band is wide.
        pieces: Pieces that a side is cut into; fewer where they would be shorter than four pixels.

    Returns:
        "gradient" and "colour", each the largest over the sides; 1.0 where no side can be measured.
    """
    found = [_side(strip, at, band, pieces) for strip, at in _sides(image, known, reach + band)]
    found = [ratios for ratios in found if ratios is not None]
    worst = np.max(found, axis=0) if found else np.ones(2)
    return {"gradient": float(worst[0]), "colour": float(worst[1])}


def _sides(
    image: np.ndarray, known: tuple[int, int, int, int], reach: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Strips (length, n, 3) along the sides within the canvas, and the column of each that the border lies before."""
    x1, y1, x2, y2 = known
    height, width = image.shape[:2]
    for part, end, borders in (
        (image[y1:y2], width, (x1, x2)),
        (image[:, x1:x2].transpose(1, 0, 2), height, (y1, y2)),
    ):
        for border in borders:
            if 0 < border < end:
                first = max(border - reach, 0)
                yield part[:, first : border + reach].astype(np.float32), border - first


def _side(strip: np.ndarray, at: int, band: int, pieces: int) -> tuple[float, float] | None:
    gradient = np.abs(np.diff(strip, axis=1)).mean(axis=(0, 2))
    # entry i of `gradient` is the line before column i + 1
    found = _stands_out(gradient, at - 1, _GUARD)
    if found is None:
        return None
    shift = colour_shifts(strip, band, pieces)
    # entry i of `shift` is the line before column i + band
    other = _stands_out(shift, at - band, band)
    # a border too near the canvas's edge for bands still has its gradient
    return found, 1.0 if other is None else other


def colour_shifts(strip: np.ndarray, band: int, pieces: int) -> np.ndarray:
    """(n - 2 band + 1,) colour differences across the lines of a strip (length, n, 3) float32.

    Entry i compares columns i to i + band with the ``band`` columns after them.
    """
    count = max(1, min(pieces, strip.shape[0] // 4))
    means = np.stack([piece.mean(axis=0) for piece in np.array_split(strip, count)])
    total = np.concatenate([np.zeros_like(means[:, :1]), means.cumsum(axis=1)], axis=1)
    bands = (total[:, band:] - total[:, :-band]) / band
    shift = bands[:, band:] - bands[:, :-band]
    return np.sqrt((shift**2).mean(axis=2)).mean(axis=0)


def _stands_out(values: np.ndarray, at: int, guard: int) -> float | None:
    if not 0 <= at < len(values):
        return None
    others = values[np.abs(np.arange(len(values)) - at) > guard]
    if len(others) < _FEWEST:
        return None
    return float((values[at] + _FLOOR) / (np.quantile(others, _QUANTILE) + _FLOOR))
