"""A horizon parts a crop at a third, not in two halves."""

import numpy as np

from procrop.registry import CURATION

from ..photo_facts import PhotoFacts
from .base import Principle, nearness_to_thirds


@CURATION.register_module()
class HorizonOnThird(Principle):
    """How near the horizon is to a line of thirds of the crop's height.

    1 on a line, 0 at a sixth of the height away, so also in the very middle and at the edge. A crop that leaves the
    horizon out scores 1: it has none to place.
    """

    name = "horizon"

    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray | None:
        """See :class:`Principle`."""
        if facts.horizon is None:
            return None
        place = (facts.horizon - boxes[:, 1]) / (boxes[:, 3] - boxes[:, 1])
        return np.where((place > 0) & (place < 1), nearness_to_thirds(place), 1.0)
