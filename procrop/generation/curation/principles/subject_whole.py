"""A crop does not cut the subject."""

import numpy as np

from procrop.registry import CURATION
from procrop.structures.boxes import kept_share

from ..photo_facts import PhotoFacts
from .base import Principle


@CURATION.register_module()
class SubjectWhole(Principle):
    """Share of the subject's box that the crop covers; at least 95 % by default, for boxes are not that exact."""

    name = "subject"

    def __init__(self, weight: float = 1.0, minimum: float = 0.95) -> None:
        super().__init__(weight, minimum)

    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray | None:
        """See :class:`Principle`."""
        return None if facts.subject is None else kept_share(boxes, facts.subject)
