"""How well photos are told apart."""

from dataclasses import dataclass

import numpy as np

THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))


@dataclass(frozen=True)
class ClassFigures:
    """What a threshold does.

    Attributes:
        threshold: Photos of a larger P(bad) are called bad.
        bad_precision: Share of bad ones among those called bad; NaN where none is.
        bad_recall: Share of the bad ones that are called bad.
        good_precision: Share of good ones among those called good; NaN where none is.
        good_recall: Share of the good ones that are called good.
        kept: Share of all photos that are called good.
    """

    threshold: float
    bad_precision: float
    bad_recall: float
    good_precision: float
    good_recall: float
    kept: float


def class_figures(probability: np.ndarray, bad: np.ndarray, threshold: float) -> ClassFigures:
    """Precision and recall of both classes.

    Args:
        probability: (n,) P(bad).
        bad: (n,) bool, the truth.
        threshold: Limit, itself called good.
    """
    called = probability > threshold

    def share(part: np.ndarray, whole: np.ndarray) -> float:
        return float((part & whole).sum() / whole.sum()) if whole.any() else float("nan")

    return ClassFigures(
        threshold,
        bad_precision=share(bad, called),
        bad_recall=share(called, bad),
        good_precision=share(~bad, ~called),
        good_recall=share(~called, ~bad),
        kept=float((~called).mean()) if len(called) else float("nan"),
    )
