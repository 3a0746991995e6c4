"""Drops outpainted photos in which the subject was painted again."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from procrop.generation.detectors import Detections, SubjectDetector
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS
from procrop.structures.boxes import box_area, box_iou

from .subject_check import SUBJECT_IOU, SubjectCheck, find_subject, same_kind

_VERSION = 1
# a further one in the photo scores as high as those outside, to this
_AS_HIGH = 0.1
_EMBEDDED = {"type": "TemplateDetector"}


@GENERATION_STEPS.register_module()
class DuplicateSubjectFilter(SubjectCheck):
    """A duplicate is a detection of the subject's kind that lies for its larger part outside the known area.

    A photo may show its motif several times (columns, a flock): where a further one inside the known area scores as
    high as those outside, or less than a tenth below, they continue it and are no fault, unless ``allow_repeated`` is
    off.

    Do not use it with a stand-in outpainter that mirrors or repeats the photo: that duplicates subjects by
    construction.

    Figures: ``duplicate_count`` (duplicates outside), ``duplicate_score`` (the surest one's score, 0 for none) and
    ``duplicate_inside`` (that of the surest further one in the known area).

    Args:
        detector: Finds copies; the embedded one by default, or a detector of classes.
        max_count: Duplicates that pass.
        min_area: A detection below this share of the subject's area is none.
        allow_repeated: Pass a photo that repeats its subject itself.
        without_subject: "keep" or "drop" items whose analysis names no subject.

    Raises:
        ValueError: ``max_count`` is negative, or ``min_area`` not in [0, 1].
    """

    name = "duplicate"

    def __init__(
        self,
        detector: dict[str, Any] | SubjectDetector = _EMBEDDED,
        max_count: int = 0,
        min_area: float = 0.1,
        allow_repeated: bool = True,
        without_subject: str = "keep",
    ) -> None:
        super().__init__(detector, without_subject)
        if max_count < 0 or not 0 <= min_area <= 1:
            raise ValueError(
                f"max_count must be at least 0 and min_area in [0, 1], got {max_count}, {min_area}"
            )
        self.max_count, self.min_area = int(max_count), float(min_area)
        self.allow_repeated = bool(allow_repeated)

    @property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "detector": self.detector.fingerprint,
                "limits": [self.max_count, self.min_area, self.allow_repeated],
                "without_subject": self.without_subject,
                "version": _VERSION,
            }
        )

    def measure_subject(
        self, found: Detections, subject: np.ndarray, known: tuple[int, int, int, int]
    ) -> dict[str, float]:
        new, _ = find_subject(found, subject)
        others = same_kind(found, new)
        areas = box_area(others.boxes)
        large = areas >= max(self.min_area * box_area(subject), np.finfo(float).tiny)
        another = large & (box_iou(others.boxes, [subject])[:, 0] <= SUBJECT_IOU)
        others, areas = others.pick(another), areas[another]
        inside = _overlap(others.boxes, known) >= 0.5 * areas
        return {
            "duplicate_count": float((~inside).sum()),
            "duplicate_score": float(others.scores[~inside].max(initial=0)),
            "duplicate_inside": float(others.scores[inside].max(initial=0)),
        }

    def subject_fault(self, figures: Mapping[str, float]) -> str | None:
        count, score, inside = (figures[f"duplicate_{name}"] for name in ("count", "score", "inside"))
        repeated = inside > 0 and inside >= score - _AS_HIGH
        if count <= self.max_count or (self.allow_repeated and repeated):
            return None
        return (
            f"the subject is found {count:g} times outside the photo (score {score:.2f} at best), "
            f"more than {self.max_count}"
        )


def _overlap(boxes: np.ndarray, known: tuple[int, int, int, int]) -> np.ndarray:
    """(n,) area that boxes (n, 4) share with the known area."""
    x1, y1, x2, y2 = known
    return box_area(np.column_stack([np.maximum(boxes[:, :2], (x1, y1)), np.minimum(boxes[:, 2:], (x2, y2))]))
