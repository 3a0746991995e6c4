"""Sizes in whole pixels that are as near to a ratio as pixels allow."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from .aspect_ratio import AspectRatio


class ImpossibleCropError(ValueError):
    """A photo is of a size that cannot give what is asked; other photos may."""


class ExactSizes:
    """All sizes (w, h) of a ratio r that fit into a photo and have an area.

    A size is exact if |w / h - r| is least for its height among all widths, or least for its width among all heights.
    There are two families: ``regular`` sizes take each length of the ratio's shorter side and round the longer one,
    which makes both minimal; ``rough`` sizes take each length of the longer side and round the shorter one, which is
    less exact. A rough size is used only where no regular one does (photos of a few pixels, or the last pixel of area
    or of a subject). In both, width and height grow together.

    Args:
        ratio: width / height.
        photo: (width, height) in pixels.
        min_area: Least share of the photo's area, in [0, 1].

    Attributes:
        regular: (n, 2) int64 of (w, h), growing.
        rough: (m, 2) int64, the same.

    Raises:
        ImpossibleCropError: No size has the area; the message says how large a crop can be.
    """

    def __init__(self, ratio: AspectRatio, photo: tuple[int, int], min_area: float = 0.0) -> None:
        width, height = photo
        wide = ratio.value >= 1
        by_height = _of_heights(ratio.value, np.arange(1, height + 1))
        by_width = _of_widths(ratio.value, np.arange(1, width + 1))
        families = (by_height, by_width) if wide else (by_width, by_height)
        self.regular, self.rough = (sizes[(sizes <= (width, height)).all(axis=1)] for sizes in families)
        most = max(int(sizes[-1].prod()) for sizes in (self.regular, self.rough) if len(sizes))
        whole = width * height
        # a share that was computed from a size must not fail by its last bit
        least = min_area * whole * (1 - 1e-12)
        self.regular, self.rough = (s[s.prod(axis=1) >= least] for s in (self.regular, self.rough))
        if not len(self.regular) and not len(self.rough):
            share = int(most / whole * 1e4) / 1e4  # rounded down: what the message says can be done
            raise ImpossibleCropError(
                f"a crop of {ratio.text} covers at most {share:.2%} of a photo of {width} x {height} pixels, less than "
                f"the least area of {min_area:.2%}; ask for an area of at most {share:g}, or for another ratio"
            )

    @property
    def largest(self) -> np.ndarray:
        """(2,) int64: the largest size."""
        return (self.regular if len(self.regular) else self.rough)[-1]

    def containing(self, extents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The smallest size that contains each extent.

        Args:
            extents: (n, 2) widths and heights in pixels.

        Returns:
            Sizes (n, 2) int64, the largest one where none is large enough; and which are: (n,) bool.
        """
        return self._pick(extents, _first_containing)

    def inside(self, extents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest size that lies within each extent; arguments and result as for :meth:`containing`."""
        return self._pick(extents, _last_inside)

    def of_area(self, areas: np.ndarray) -> np.ndarray:
        """Sizes (n, 2) int64 whose areas are nearest to areas (n,) in square pixels; the smaller one of two."""
        sizes = self.regular if len(self.regular) else self.rough
        known = sizes.prod(axis=1)
        above = np.searchsorted(known, areas).clip(0, len(known) - 1)
        below = (above - 1).clip(0)
        return sizes[np.where(areas - known[below] <= known[above] - areas, below, above)]

    def _pick(
        self, extents: np.ndarray, find: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        picked = np.tile(self.largest, (len(extents), 1))
        found = np.zeros(len(extents), bool)
        for sizes in (self.regular, self.rough):
            index = find(sizes, extents)
            new = ~found & (index >= 0) & (index < len(sizes))
            picked[new] = sizes[index[new]]
            found |= new
        return picked, found


def _first_containing(sizes: np.ndarray, extents: np.ndarray) -> np.ndarray:
    return np.max([np.searchsorted(sizes[:, i], extents[:, i], "left") for i in (0, 1)], axis=0)


def _last_inside(sizes: np.ndarray, extents: np.ndarray) -> np.ndarray:
    return np.min([np.searchsorted(sizes[:, i], extents[:, i], "right") for i in (0, 1)], axis=0) - 1


def _of_heights(ratio: Fraction, heights: np.ndarray) -> np.ndarray:
    """(n, 2) sizes with the width of least |w / h - r| for each height, the smaller one of two."""
    p, q = ratio.numerator, ratio.denominator
    widths = np.maximum(1, (2 * heights * p + q - 1) // (2 * q))
    return np.stack([widths, heights], axis=1)


def _of_widths(ratio: Fraction, widths: np.ndarray) -> np.ndarray:
    """(n, 2) sizes with the height of least |w / h - r| for each width, the smaller one of two."""
    p, q = ratio.numerator, ratio.denominator
    low = np.maximum(1, widths * q // p)
    high = low + 1
    # |w / h - r| of both, multiplied by q * low * high: whole numbers, so that nothing is lost
    low_wins = np.abs(widths * q - low * p) * high <= np.abs(widths * q - high * p) * low
    return np.stack([widths, np.where(low_wins, low, high)], axis=1)
