"""The subject lies where one third of the crop meets the next."""

import numpy as np

from procrop.evaluation.functional.composition import saliency_centroid
from procrop.registry import CURATION

from ..photo_facts import PhotoFacts
from .base import Principle, nearness_to_thirds


@CURATION.register_module()
class RuleOfThirds(Principle):
    """How near the subject's centre is to a line of thirds: the mean over both directions.

    1 on a line, 0 at a sixth of the crop's side away from it, so also in the very middle. A subject without a box is
    where the saliency has its centroid.
    """

    name = "thirds"

    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray | None:
        """See :class:`Principle`."""
        if facts.subject is not None:
            point = (facts.subject[:2] + facts.subject[2:]) / 2
        elif facts.saliency is not None:
            point = np.array(saliency_centroid(facts.saliency)) * facts.size
        else:
            return None
        place = (point - boxes[:, :2]) / (boxes[:, 2:] - boxes[:, :2])
        return nearness_to_thirds(place).mean(axis=1)
