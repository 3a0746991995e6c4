"""Figures of many photos, their means, and what the means would be on other draws of the photos."""

import math
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np

from procrop.evaluation.score_table import floor_of


class Measurement(Interface):
    """What a protocol finds on a set of photos."""

    #: names of the scores, floors left out, that resampled gives
    scores: tuple[str, ...]
    #: (T,) bool, which photos have a figure
    scored: np.ndarray

    def means(self) -> dict[str, float]:
        """The figures of the whole set, those that are defined."""

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Scores (B, len(scores)) of B draws, of which ``counts`` (B, T) says how often each photo is in them."""


@dataclass
class PhotoTable:
    """One figure per photo and key.

    Attributes:
        keys: Names of the F figures.
        values: (T, F) float64; NaN where a figure is not defined for a photo.
    """

    keys: tuple[str, ...]
    values: np.ndarray

    @property
    def scores(self) -> tuple[str, ...]:
        """The keys that are no floors."""
        return tuple(key for key in self.keys if floor_of(key) is None)

    @property
    def scored(self) -> np.ndarray:
        """(T,) bool, which photos have a figure."""
        return ~np.isnan(self.values).all(axis=1)

    def means(self) -> dict[str, float]:
        """Means over the photos where a figure is defined; a figure without such a photo is left out.

        Sums are exact, so that the order of the photos does not matter.
        """
        figures = {}
        for key, column in zip(self.keys, self.values.T, strict=True):
            defined = column[~np.isnan(column)]
            if len(defined):
                figures[key] = math.fsum(defined.tolist()) / len(defined)
        return figures

    def resampled(self, counts: np.ndarray) -> np.ndarray:
        """Means of B draws of the photos.

        Args:
            counts: (B, T) how often each photo was drawn.

        Returns:
            (B, len(scores)) float64; NaN where a draw has no photo with the figure.
        """
        values = self.values[:, [i for i, key in enumerate(self.keys) if floor_of(key) is None]]
        defined = ~np.isnan(values)
        sums = counts @ np.where(defined, values, 0.0)
        return _share(sums, counts @ defined.astype(np.float64))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def join_tables(tables: list[PhotoTable], rows: np.ndarray, photos: int) -> PhotoTable:
    """Put tables of some photos each into one of all.

    Args:
        tables: Of the same keys.
        rows: Which photo each of their rows belongs to, one table after the other.
        photos: Number of photos; those without a row are NaN.
    """
    keys = tables[0].keys if tables else ()
    values = np.full((photos, len(keys)), np.nan)
    if tables:
        values[rows] = np.concatenate([table.values for table in tables])
    return PhotoTable(keys, values)
