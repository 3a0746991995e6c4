"""What a finder of subjects is."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from procrop.structures.boxes import box_area, clip_boxes


@dataclass(frozen=True)
class Detections:
    """What was found on a canvas.

    Attributes:
        boxes: (n, 4) float64 xyxy in pixels of the canvas.
        scores: (n,) float64, higher is surer.
        labels: (n,) int64 classes.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(
        cls, boxes: Sequence | np.ndarray, scores: Sequence | np.ndarray, labels: Sequence | np.ndarray
    ) -> "Detections":
        """From anything array-like of equal length."""
        return cls(
            np.asarray(boxes, np.float64).reshape(-1, 4),
            np.asarray(scores, np.float64).reshape(-1),
            np.asarray(labels, np.int64).reshape(-1),
        )

    def pick(self, which: np.ndarray) -> "Detections":
        """Those of a (n,) bool mask or of (m,) indices."""
        return Detections(self.boxes[which], self.scores[which], self.labels[which])

    def chosen(
        self, size: tuple[int, int], score_threshold: float, labels: Collection[int] | None
    ) -> "Detections":
        """Those of enough score and of some labels (None: of all), clipped to a canvas of (width, height) pixels.

        Boxes without area on the canvas are left out, and so is what holds a NaN.
        """
        with np.errstate(invalid="ignore"):
            keep = (self.scores >= score_threshold) & ~np.isnan(self.boxes).any(axis=1)
        if labels is not None:
            keep &= np.isin(self.labels, list(labels))
        found = self.pick(keep)
        found = Detections(clip_boxes(found.boxes, size), found.scores, found.labels)
        return found.pick(box_area(found.boxes) > 0)

    def __len__(self) -> int:
        return len(self.boxes)


class SubjectDetector(ABC):
    """Finder of subjects on an outpainted canvas; without memory between canvases."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex SHA-256 over all that changes a detection: type, parameters, weights, version."""

    @abstractmethod
    def detect(self, image: np.ndarray, subject: np.ndarray) -> Detections:
        """Find what may be the subject or like it.

        Args:
            image: (H, W, 3) uint8 RGB, the outpainted canvas.
            subject: (4,) float64 xyxy in pixels of the canvas, the photo's own subject. A detector of classes has no
                use for it.
        """

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Release what the detector holds; called once after the last canvas."""
