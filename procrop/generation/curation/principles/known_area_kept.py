"""A crop keeps what the photographer framed."""

import numpy as np

from procrop.registry import CURATION
from procrop.structures.boxes import kept_share

from ..photo_facts import PhotoFacts
from .base import Principle


@CURATION.register_module()
class KnownAreaKept(Principle):
    """Share of the known area that the crop covers; at least 80 % by default."""

    name = "known area"

    def __init__(self, weight: float = 1.0, minimum: float = 0.8) -> None:
        super().__init__(weight, minimum)

    def scores(self, boxes: np.ndarray, facts: PhotoFacts) -> np.ndarray:
        """See :class:`Principle`."""
        return kept_share(boxes, facts.known)
