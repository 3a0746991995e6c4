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
    There are two families. ``regular`` sizes take each length of the ratio's shorter side and round the longer one,
    which makes both minimal; ``rough`` sizes take each length of the longer side and round the shorter one, which is
    less exact. Of two that are equally near, both are there. A rough size is used only where no regular one does: in
    photos of a few pixels, or for the last pixel of an area or a subject. Within a family of two sizes one contains
    the other.

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

    def holding(self, extent: np.ndarray) -> np.ndarray:
        """The smallest size (2,) that contains an extent (2,); if none does, that which covers the most of it."""
        picked, found = self.containing(extent[None])
        if found[0]:
            return picked[0]
        largest = [sizes[-1] for sizes in (self.regular, self.rough) if len(sizes)]
        return max(largest, key=lambda size: np.minimum(size, extent).prod())

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
    """(n, 2) sizes with each width of least |w / h - r| for each height."""
    p, q = ratio.numerator, ratio.denominator
    low = heights * p // q
    return _nearer(
        np.stack([low, heights], axis=1),
        np.stack([low + 1, heights], axis=1),
        heights * p - low * q,
        (low + 1) * q - heights * p,
    )


def _of_widths(ratio: Fraction, widths: np.ndarray) -> np.ndarray:
    """(n, 2) sizes with each height of least |w / h - r| for each width."""
    p, q = ratio.numerator, ratio.denominator
    low = widths * q // p
    high = low + 1
    # |w / h - r| of both, multiplied by q * low * high: whole numbers, so that nothing is lost
    return _nearer(
        np.stack([widths, low], axis=1),
        np.stack([widths, high], axis=1),
        (widths * q - low * p) * high,
        (high * p - widths * q) * low,
    )


def _nearer(low: np.ndarray, high: np.ndarray, low_error: np.ndarray, high_error: np.ndarray) -> np.ndarray:
    """Of each pair of sizes (n, 2) the one with the lesser error, or both, without those of no area; growing."""
    possible = low.min(axis=1) > 0
    sizes = np.concatenate(
        [low[possible & (low_error <= high_error)], high[~possible | (high_error <= low_error)]]
    )
    return sizes[np.argsort(sizes.sum(axis=1))]  # one is within the other
