"""How far a difference between two models could be chance: the paired bootstrap over photos.

The photos of a test set are a draw from all photos there might be. Drawing them again, with replacement, and measuring
both models on the same draw, shows how the difference of their figures varies (Efron 1979; percentile interval).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.photo_table import Measurement

# numbers of one block of draws
_BLOCK = 4_000_000


@dataclass(frozen=True)
class Difference:
    """A figure of one model less that of another, on the same photos.

    Attributes:
        value: The difference on the photos as they are.
        low: Lower end of the percentile interval.
        high: Upper end.
        p: Two-sided: twice the smaller share of draws on one side of 0 (draws of exactly 0 are on both), at most 1.
    """

    value: float
    low: float
    high: float
    p: float


def draw_counts(
    photos: int, resamples: int = 10_000, seed: int = 0, units: Sequence[object] | None = None
) -> Iterator[np.ndarray]:
    """Draw photos with replacement.

    Args:
        photos: Number of photos T.
        resamples: Number of draws.
        seed: Equal seeds give equal draws.
        units: (T,) what each photo belongs to; whole units are drawn, e.g. all subjects of one original photo. None
            draws single photos.

    Yields:
        Blocks (b, T) float64: how often each photo is in each draw; b sums to ``resamples``.

    Raises:
        ValueError: If there is no photo or no draw.
    """
    if photos < 1 or resamples < 1:
        raise ValueError(f"a bootstrap needs photos and draws, got {photos} photos and {resamples} resamples")
    codes = np.arange(photos)
    if units is not None:
        codes = np.unique(np.asarray(units, dtype=str), return_inverse=True)[1].reshape(-1)
    total = int(codes.max()) + 1
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(photos, total))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, total, (size, total)) + total * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * total).reshape(size, total)
        yield counts[:, codes].astype(np.float64)


def resampled_scores(
    measured: Sequence[Sequence[Measurement]],
    resamples: int = 10_000,
    seed: int = 0,
    units: Sequence[object] | None = None,
) -> list[np.ndarray]:
    """Figures of several models on the same draws of their photos.

    Args:
        measured: For each model what every protocol found, on the same photos in the same order.
        resamples: Number of draws.
        seed: Equal seeds give equal draws.
        units: As for :func:`draw_counts`.

    Returns:
        For each model (resamples, F) float64, F running over the scores of all its protocols.

    Raises:
        ValueError: If the models were measured on different numbers of photos, or there is none.
    """
    lengths = {len(table.scored) for tables in measured for table in tables}
    if len(lengths) != 1:
        raise ValueError(f"paired differences need the same photos for every model, got {sorted(lengths)}")
    blocks: list[list[np.ndarray]] = [[] for _ in measured]
    for counts in draw_counts(lengths.pop(), resamples, seed, units):
        for kept, tables in zip(blocks, measured, strict=True):
            kept.append(np.concatenate([table.resampled(counts) for table in tables], axis=1))
    return [np.concatenate(kept) for kept in blocks]


def differences(
    keys: Sequence[str],
    figures: Sequence[dict[str, float]],
    draws: Sequence[np.ndarray],
    level: float = 0.95,
) -> dict[str, Difference]:
    """Second model less first, for every score that both have.

    Args:
        keys: Names of the F scores, in the order of the draws.
        figures: The two models' figures on the photos as they are.
        draws: The two models' (B, F) figures on the same draws, from :func:`resampled_scores`.
        level: Coverage of the interval.

    Returns:
        A Difference by key.

    Raises:
        ValueError: If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, got {level}")
    first, second = figures
    found = {}
    for column, key in enumerate(keys):
        change = draws[1][:, column] - draws[0][:, column]
        change = change[~np.isnan(change)]
        if key in first and key in second and len(change):
            low, high = np.quantile(change, [(1 - level) / 2, (1 + level) / 2]).tolist()
            rarer = min(np.count_nonzero(change <= 0), np.count_nonzero(change >= 0))
            p = min(1.0, 2 * (int(rarer) + 1) / (len(change) + 1))
            found[key] = Difference(second[key] - first[key], low, high, p)
    return found


def paired_difference(
    first: np.ndarray,
    second: np.ndarray,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    units: Sequence[object] | None = None,
) -> Difference:
    """Mean of one figure less that of another, both known for the same photos.

    Args:
        first: (T,) finite figures.
        second: (T,) the figures that are taken off.
        resamples: Number of draws of the photos.
        seed: Equal seeds give equal draws.
        level: Coverage of the interval.
        units: As for :func:`draw_counts`.

    Raises:
        ValueError: If the lengths differ or there is no photo.
    """
    change = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    blocks = draw_counts(len(change), resamples, seed, units)
    # units differ in size, so a draw does not always have as many photos
    draws = np.concatenate([counts @ change / counts.sum(axis=1) for counts in blocks])
    keys, none = ["change"], np.zeros((resamples, 1))
    figures = ({"change": 0.0}, {"change": float(change.mean())})
    return differences(keys, figures, (none, draws[:, None]), level)["change"]
