"""What each kind of references reaches, and how far retrieved ones are ahead of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.bootstrap import paired_difference

from .figures import lower_is_better


@dataclass(frozen=True)
class Difference:
    """Mean of retrieved minus other over the photos, with its 95 % interval.

    Attributes:
        mean, low, high: In the figure's own unit and direction.
        p: Two-sided bootstrap probability of no difference.
    """

    mean: float
    low: float
    high: float
    p: float

    def as_gain(self, lower_is_better: bool) -> "Difference":
        """The same with a positive mean where retrieved references are better."""
        return Difference(-self.mean, -self.high, -self.low, self.p) if lower_is_better else self


@dataclass(frozen=True)
class Comparison:
    """One figure under every kind of references.

    Attributes:
        key: The figure.
        photos: How many photos have it under all kinds.
        means: Kind to its mean over photos (and seeds).
        differences: Kind to retrieved minus it; without "retrieved" itself.
    """

    key: str
    photos: int
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
    return Comparison(key, int(valid.sum()), means, differences)


def _difference(
    retrieved: np.ndarray, other: np.ndarray, units: Sequence[str] | None, seed: int
) -> Difference:
    found = paired_difference(retrieved, other, seed=seed, units=units)
    return Difference(found.value, found.low, found.high, found.p)
