"""What detectors of classes have in common, whatever network they run."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from procrop.io.manifest import sha256_json

from .base import Detections, SubjectDetector


class ClassDetector(SubjectDetector):
    """A detector of classes; a subclass says which network it runs, and what that finds.

    Args:
        score_threshold: Least score of a detection.
        labels: Classes that can be subjects, as numbers; None takes all.
        device: Torch device.
    """

    def __init__(
        self, score_threshold: float = 0.5, labels: Sequence[int] | None = None, device: str = "cpu"
    ) -> None:
        self.score_threshold = float(score_threshold)
        self.labels = None if labels is None else tuple(sorted({int(label) for label in labels}))
        self.device = device

    @abstractmethod
    def network_facts(self) -> dict[str, Any]:
        """Architecture, weights and version, as JSON values: what the fingerprint has to know of the network."""

    @abstractmethod
    def detect_all(self, image: np.ndarray) -> Detections:
        """All that the network finds on a canvas (H, W, 3) uint8 RGB."""

    @cached_property
    def fingerprint(self) -> str:
        chosen = {"score_threshold": self.score_threshold, "labels": self.labels}
        return sha256_json({"type": type(self).__name__, **self.network_facts(), **chosen})

    def detect(self, image: np.ndarray, subject: np.ndarray) -> Detections:
        size = (image.shape[1], image.shape[0])
        return self.detect_all(image).chosen(size, self.score_threshold, self.labels)
