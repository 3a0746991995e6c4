"""Drops outpainted photos whose subject has got lost, or has got a rival of some size."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from procrop.generation.detectors import Detections, SubjectDetector
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS
from procrop.structures.boxes import box_area, box_iou

from .subject_check import SUBJECT_IOU, SubjectCheck, find_subject, same_kind

_VERSION = 1
# a detection that overlaps the known area by less was painted
_OUTSIDE_IOU = 0.01


@GENERATION_STEPS.register_module()
class OversizedSubjectFilter(SubjectCheck):
    """The rules of GenCrop (Hong et al. 2024) on detections in the outpainted photo.

    1. The subject is still there: the detection of largest IoU with the subject, scaled into the known area, has more
       than 0.25. It is the new subject: it may have grown beyond the known area.
    2. Nothing painted rivals it: no detection whose IoU with the known area is below 0.01 covers more than a quarter
       of the scaled subject's area.
    3. Nothing dwarfs it: no detection covers more than twice the new subject's area.

    GenCrop looks at detections of one class in each of its sets; here rules 2 and 3 look at those of the new subject's
    class. The known area's IoU is taken as the source has it: a painted thing much smaller than the known area has a
    small IoU with it even where it reaches into it.

    Figures: ``oversized_iou`` (rule 1), ``oversized_painted`` (area of the largest painted detection over the scaled
    subject's, rule 2) and ``oversized_largest`` (area of the largest detection over the new subject's, rule 3; 0 where
    there is no new subject).

    Args:
        detector: A detector of classes. The template detector always finds the subject, and so knows rule 2 alone.
        max_painted: Limit of rule 2.
        max_largest: Limit of rule 3.
        without_subject: "keep" or "drop" items whose analysis names no subject.

    Raises:
        ValueError: A limit is not above 0.
    """

    name = "oversized"

    def __init__(
        self,
        detector: dict[str, Any] | SubjectDetector,
        max_painted: float = 0.25,
        max_largest: float = 2.0,
        without_subject: str = "keep",
    ) -> None:
        super().__init__(detector, without_subject)
        if not (max_painted > 0 and max_largest > 0):
            raise ValueError(f"max_painted and max_largest must be above 0, got {max_painted}, {max_largest}")
        self.max_painted, self.max_largest = float(max_painted), float(max_largest)

    @property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "detector": self.detector.fingerprint,
                "limits": [self.max_painted, self.max_largest],
                "without_subject": self.without_subject,
                "version": _VERSION,
            }
        )

    def measure_subject(
        self, found: Detections, subject: np.ndarray, known: tuple[int, int, int, int]
    ) -> dict[str, float]:
        new, overlap = find_subject(found, subject)
        rivals = same_kind(found, new)
        areas = box_area(rivals.boxes)
        painted = areas[box_iou(rivals.boxes, [known])[:, 0] < _OUTSIDE_IOU]
        return {
            "oversized_iou": overlap,
            "oversized_painted": float(painted.max(initial=0) / box_area(subject)),
            "oversized_largest": 0.0 if new is None else float(areas.max() / box_area(found.boxes[new])),
        }

    def subject_fault(self, figures: Mapping[str, float]) -> str | None:
        overlap, painted, largest = (figures[f"oversized_{n}"] for n in ("iou", "painted", "largest"))
        if overlap <= SUBJECT_IOU:
            return f"no detection overlaps the subject by more than {SUBJECT_IOU} (IoU {overlap:.2f} at best)"
        if painted > self.max_painted:
            return (
                f"a painted subject has {painted:.2f} times the area of the photo's own, "
                f"more than {self.max_painted:g}"
            )
        if largest > self.max_largest:
            return f"a detection has {largest:.2f} times the subject's area, more than {self.max_largest:g}"
        return None
