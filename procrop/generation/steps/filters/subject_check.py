"""What the checks of subjects share: the photo's own subject, and a detector."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from procrop.generation.detectors import Detections, SubjectDetector
from procrop.generation.item import CADItem
from procrop.generation.subject_box import subject_on_canvas
from procrop.registry import SUBJECT_DETECTORS
from procrop.structures.boxes import box_area, box_iou

from .base import QualityCheck

_WITHOUT_SUBJECT = ("keep", "drop")
# a detection that overlaps the subject by more than this IoU is the subject (Hong et al. 2024)
SUBJECT_IOU = 0.25


class SubjectCheck(QualityCheck):
    """A check of detections against the photo's own subject, `measure_subject`.

    The figure ``has_subject`` says whether there was one to check: 0 where the analysis names none, or one of no area.

    Args:
        detector: Config of a `SubjectDetector`, or one.
        without_subject: What to do with an item without a subject: "keep" or "drop".

    Raises:
        ValueError: ``without_subject`` is neither.
    """

    def __init__(self, detector: dict[str, Any] | SubjectDetector, without_subject: str) -> None:
        if without_subject not in _WITHOUT_SUBJECT:
            raise ValueError(f"without_subject must be one of {_WITHOUT_SUBJECT}, got {without_subject!r}")
        built = detector if isinstance(detector, SubjectDetector) else SUBJECT_DETECTORS.build(detector)
        self.detector: SubjectDetector = built
        self.without_subject = without_subject

    @abstractmethod
    def measure_subject(
        self, found: Detections, subject: np.ndarray, known: tuple[int, int, int, int]
    ) -> dict[str, float]:
        """Figures of a canvas, given detections, the subject (4,) xyxy and the known area in pixels."""

    @abstractmethod
    def subject_fault(self, figures: Mapping[str, float]) -> str | None:
        """What is wrong with an item of such figures; None if it passes."""

    def measure(self, item: CADItem, rng: np.random.Generator) -> dict[str, float]:
        step = type(self).__name__
        image, plan = item.need("image", step), item.need("canvas", step)
        item.need("analysis", step)
        subject = subject_on_canvas(item)
        if subject is None or box_area(subject) < 1:
            return {"has_subject": 0.0}
        found = self.detector.detect(image, subject)
        return {"has_subject": 1.0, **self.measure_subject(found, subject, plan.known)}

    def fault(self, figures: Mapping[str, float]) -> str | None:
        if figures["has_subject"]:
            return self.subject_fault(figures)
        return "the analysis names no subject to check" if self.without_subject == "drop" else None

    def close(self) -> None:
        self.detector.close()


def find_subject(found: Detections, subject: np.ndarray) -> tuple[int | None, float]:
    """The detection that overlaps the subject (4,) most, None below `SUBJECT_IOU`; and that largest IoU."""
    if not len(found):
        return None, 0.0
    overlap = box_iou(found.boxes, [subject])[:, 0]
    best = int(overlap.argmax())
    return (best if overlap[best] > SUBJECT_IOU else None), float(overlap[best])


def same_kind(found: Detections, new_subject: int | None) -> Detections:
    """Detections of the class of the one that is the subject; all where none is."""
    return found if new_subject is None else found.pick(found.labels == found.labels[new_subject])
