"""Finds copies of the subject by normalised cross-correlation; needs no weights."""

from collections.abc import Sequence

import cv2
import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import SUBJECT_DETECTORS
from procrop.structures.boxes import box_iou, clip_boxes

from .base import Detections, SubjectDetector

# raise when copies are found otherwise
_VERSION = 1
# long side of the subject and of the canvas at which templates are compared, and the least side of a template
_TEMPLATE_SIDE, _CANVAS_SIDE, _LEAST_SIDE = 32, 512, 6
# surroundings wider than this share of the template are taken away first: skies and gradients all look alike
_SURROUND = 0.35
# standard deviation, in grey values, below which there is nothing to recognise
_FLAT = 4.0
# a copy has about the subject's contrast
_CONTRAST = (0.4, 2.5)
# of one thing, seen twice
_SAME = 0.25
_MOST = 32


@SUBJECT_DETECTORS.register_module()
class TemplateDetector(SubjectDetector):
    """The embedded detector: the subject's pixels as a template, at several sizes, also mirrored.

    It finds what looks alike pixel by pixel, as mirrored and repeated surroundings do. A second dog in another pose it
    does not find; take a detector of classes for that. A subject without texture has no copies that could be told.

    The subject itself is always the first detection, score 1: its pixels are the photo's. All have label 0.

    Args:
        threshold: Least normalised cross-correlation of a copy, in (0, 1).
        scales: Sizes of copies, relative to the subject.
        mirrored: Look for mirrored copies too, left to right, top to bottom and both.

    Raises:
        ValueError: ``threshold`` out of range, or no or non-positive scales.
    """

    def __init__(
        self, threshold: float = 0.7, scales: Sequence[float] = (0.5, 0.71, 1.0, 1.41), mirrored: bool = True
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be in (0, 1), got {threshold}")
        if not len(scales) or min(scales) <= 0:
            raise ValueError(f"scales must be positive sizes, at least one, got {tuple(scales)}")
        self.threshold = float(threshold)
        self.scales = tuple(float(scale) for scale in scales)
        self.mirrored = bool(mirrored)

    @property
    def fingerprint(self) -> str:
        settings = {"threshold": self.threshold, "scales": self.scales, "mirrored": self.mirrored}
        return sha256_json({"type": type(self).__name__, **settings, "version": _VERSION})

    def detect(self, image: np.ndarray, subject: np.ndarray) -> Detections:
        height, width = image.shape[:2]
        subject = clip_boxes(subject, (width, height))
        boxes, scores = [subject], [1.0]
        extent = subject[2:] - subject[:2]
        shrink = min(1.0, _TEMPLATE_SIDE / max(extent.max(), 1.0), _CANVAS_SIDE / max(width, height))
        small = _shrunk(image, shrink)
        # rounding of the sides is undone side by side
        factor = np.tile((width / small.shape[1], height / small.shape[0]), 2)
        found = self._copies(small, subject / factor)
        for box, score in sorted(found, key=lambda entry: -entry[1])[: 4 * _MOST]:
            box = clip_boxes(box * factor, (width, height))
            if len(boxes) <= _MOST and box_iou([box], boxes).max() <= _SAME:
                boxes.append(box)
                scores.append(score)
        return Detections.of(boxes, scores, np.zeros(len(boxes)))

    def _copies(self, small: np.ndarray, subject: np.ndarray) -> list[tuple[np.ndarray, float]]:
        x1, y1, x2, y2 = np.rint(subject).astype(int)
        if min(x2 - x1, y2 - y1) < _LEAST_SIDE:
            return []
        surround = cv2.GaussianBlur(small, (0, 0), _SURROUND * max(x2 - x1, y2 - y1))
        fine = small - surround
        template = fine[y1:y2, x1:x2]
        if template.std() < _FLAT:
            return []
        looks = [template]
        if self.mirrored:
            looks += [template[:, ::-1], template[::-1], template[::-1, ::-1]]
        found = []
        for scale in self.scales:
            size = tuple(max(1, round(scale * side)) for side in (x2 - x1, y2 - y1))
            if min(size) < _LEAST_SIDE or size[0] > small.shape[1] or size[1] > small.shape[0]:
                continue
            for look in looks:
                method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
                scaled = cv2.resize(np.ascontiguousarray(look), size, interpolation=method)
                found += self._peaks(fine, scaled)
        return found

    def _peaks(self, fine: np.ndarray, template: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """Places where a template (h, w, 3) float32 fits: boxes at the working size, and scores."""
        height, width = template.shape[:2]
        match = np.nan_to_num(cv2.matchTemplate(fine, template, cv2.TM_CCOEFF_NORMED), posinf=0, neginf=0)
        contrast = _window_std(fine, (width, height)) / max(float(template.std()), 1e-6)
        match[(contrast < _CONTRAST[0]) | (contrast > _CONTRAST[1])] = 0
        peaks = []
        while len(peaks) < _MOST:
            _, score, _, (x, y) = cv2.minMaxLoc(match)
            if score < self.threshold:
                break
            peaks.append((np.array([x, y, x + width, y + height], np.float64), float(score)))
            # half a template away, another copy may begin
            match[
                max(0, y - height // 2) : y + height // 2 + 1, max(0, x - width // 2) : x + width // 2 + 1
            ] = 0
        return peaks


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    size = tuple(max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _window_std(fine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Standard deviation over pixels and channels of every window of (width, height), as `matchTemplate` places it."""
    width, height = size
    total, squares = cv2.integral2(fine, sdepth=cv2.CV_64F, sqdepth=cv2.CV_64F)
    count = width * height * fine.shape[2]

    def over(table: np.ndarray) -> np.ndarray:
        table = table.sum(axis=2)
        corners = (
            table[height:, width:]
            + table[:-height, :-width]
            - table[:-height, width:]
            - table[height:, :-width]
        )
        return corners / count

    return np.sqrt(np.maximum(over(squares) - over(total) ** 2, 0)).astype(np.float32)
