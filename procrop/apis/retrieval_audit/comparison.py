"""What each kind of references reaches, and how far retrieved ones are ahead of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from procrop.evaluation.bootstrap import paired_difference

from .figures import lower_is_better


@dataclass(frozen=True)
class Difference:
    """Mean of retrieved minus other over the photos, with its 95 % interval.

    Attributes:
        mean, low, high: In the figure's own unit and direction.
        p: Two-sided bootstrap probability of no difference.
        differing: How many photos have another figure; with none the interval is a point, and says nothing.
    """

    mean: float
    low: float
    high: float
    p: float
    differing: int

    def as_gain(self, lower_is_better: bool) -> "Difference":
        """The same with a positive mean where retrieved references are better."""
        if not lower_is_better:
            return self
        return replace(self, mean=-self.mean, low=-self.high, high=-self.low)


@dataclass(frozen=True)
class Comparison:
    """One figure under every kind of references.

    Attributes:
        key: The figure.
        photos: How many photos have it under all kinds.
        sources: What these were made from, which is what is drawn: photos of one source are no independent ones.
        means: Kind to its mean over photos (and seeds).
        differences: Kind to retrieved minus it; without "retrieved" itself.
    """

    key: str
    photos: int
    sources: int
    means: dict[str, float]
    differences: dict[str, Difference]

    @property
    def lower_is_better(self) -> bool:
        """Direction of the figure."""
        return lower_is_better(self.key)

    def gain(self, kind: str) -> Difference | None:
        """How much better retrieved references are than this kind; None if it was not tried."""
        difference = self.differences.get(kind)
        return None if difference is None else difference.as_gain(self.lower_is_better)


def compare_conditions(
    key: str,
    values: Mapping[str, Sequence[np.ndarray]],
    sources: Sequence[str] | None = None,
    bootstrap_seed: int = 0,
) -> Comparison:
    """Compare retrieved references with every other kind, photo by photo.

    Args:
        key: Name of the figure.
        values: Kind to one (photos,) array for each seed; a photo counts with its mean over the seeds. NaN where it
            does not have the figure: such photos are left out of all kinds.
        sources: What each photo was made from; all records of a source are drawn together (subjects of one photo are
            no independent observations). By default every photo is on its own.
        bootstrap_seed: Seed of the resampling of photos.

    Raises:
        ValueError: No photo has the figure.
    """
    averaged = {kind: np.mean(np.stack(list(columns)), axis=0) for kind, columns in values.items()}
    valid = np.all([np.isfinite(column) for column in averaged.values()], axis=0)
    if not valid.any():
        raise ValueError(f"{key}: no photo has this figure under all kinds of references")
    averaged = {kind: column[valid] for kind, column in averaged.items()}
    retrieved = averaged["retrieved"]
    units = None if sources is None else np.asarray(sources)[valid]
    differences = {
        kind: _difference(retrieved, column, units, bootstrap_seed)
        for kind, column in averaged.items()
        if kind != "retrieved"
    }
    means = {kind: float(column.mean()) for kind, column in averaged.items()}
    photos = int(valid.sum())
    return Comparison(key, photos, photos if units is None else len(set(units)), means, differences)


def _difference(
    retrieved: np.ndarray, other: np.ndarray, units: Sequence[str] | None, seed: int
) -> Difference:
    found = paired_difference(retrieved, other, seed=seed, units=units)
    # the mean of equal figures over three seeds may be off by a rounding
    differing = int(np.count_nonzero(~np.isclose(retrieved, other, rtol=0, atol=1e-9)))
    return Difference(found.value, found.low, found.high, found.p, differing)
