"""What a principle is."""

from abc import ABC, abstractmethod

import numpy as np

from ..photo_facts import PhotoFacts


class Principle(ABC):
    """Scores crops in [0, 1]; 1 follows the principle best.

    Args:
        weight: Its part in the mean of all principles, at least 0; 0 makes it a mere threshold.
        minimum: Crops that score below it are left out; 0 leaves none out.

    Attributes:
        name: Under which what it leaves out is counted.

    Raises:
        ValueError: A number is out of range.
    """

    name: str

    def __init__(self, weight: float = 1.0, minimum: float = 0.0) -> None:
        if not weight >= 0 or not 0 <= minimum <= 1:
            raise ValueError(
                f"{type(self).__name__} needs weight >= 0 and minimum in [0, 1], got {weight}, {minimum}"
            )
        self.weight, self.minimum = float(weight), float(minimum)

    @abstractmethod
    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray | None:
        """Scores (n,) float64 of crops (n, 4) ``xyxy`` of positive area; None if what they depend on is unknown."""


def nearness_to_thirds(position: np.ndarray) -> np.ndarray:
    """1 on a line at one or two thirds, falling linearly to 0 at a sixth away from it and beyond."""
    gap = np.minimum(np.abs(position - 1 / 3), np.abs(position - 2 / 3))
    return np.maximum(0.0, 1 - 6 * gap)
