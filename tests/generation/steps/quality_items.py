"""Outpainted items with a drawn subject, and a detector that says what it is told."""

import hashlib

import numpy as np

from procrop.generation import CADItem, CanvasPlan, CompositionAnalysis, WithinImage
from procrop.generation.detectors import Detections, SubjectDetector

PLAN = CanvasPlan(400, 300, (100, 60, 300, 240))
# fractions of the photo, and pixels of the canvas: 60 x 60
SUBJECT = (0.35, 1 / 3, 0.65, 2 / 3)
ON_CANVAS = (170.0, 120.0, 230.0, 180.0)


class ToldDetector(SubjectDetector):
    def __init__(self, boxes, labels=None, scores=None):
        n = len(boxes)
        self.found = Detections.of(
            boxes, [0.9] * n if scores is None else scores, [0] * n if labels is None else labels
        )
        self.closed = 0

    @property
    def fingerprint(self):
        return hashlib.sha256(repr(self.found.boxes.tolist()).encode()).hexdigest()

    def detect(self, image, subject):
        np.testing.assert_allclose(subject, ON_CANVAS)
        return self.found

    def close(self):
        self.closed += 1


def background(size=(400, 300), seed=0):
    """Soft blobs and grain: texture that repeats nowhere."""
    import cv2

    rng = np.random.default_rng(seed)
    small = rng.uniform(60, 190, (size[1] // 20, size[0] // 20, 3)).astype(np.float32)
    soft = cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    return (soft + rng.normal(0, 5, soft.shape)).clip(0, 255).astype(np.uint8)


def motif(side=60):
    """A thing like no other: a ring, a bar and a dot."""
    y, x = np.mgrid[0:side, 0:side] / side
    thing = np.full((side, side, 3), (40, 60, 120), np.uint8)
    radius = np.hypot(x - 0.45, y - 0.5)
    thing[(radius > 0.25) & (radius < 0.4)] = (240, 220, 60)
    thing[(x > 0.7) & (x < 0.85) & (y > 0.2)] = (220, 40, 60)
    thing[np.hypot(x - 0.2, y - 0.15) < 0.1] = (255, 255, 255)
    return thing


def painted(*places, image=None, subject=SUBJECT, own=True):
    """An item whose canvas shows the motif as its subject, and further ones at ``places`` (x, y, side[, mirrored])."""
    import cv2

    image = background() if image is None else image.copy()
    places = [*([(170, 120, 60)] if own else []), *places]
    for x, y, side, *mirrored in places:
        thing = cv2.resize(motif(), (side, side), interpolation=cv2.INTER_AREA)
        image[y : y + side, x : x + side] = thing[:, ::-1] if mirrored else thing
    analysis = CompositionAnalysis("A ring", WithinImage((), "a ring", subject))
    return CADItem(
        "ring", 0, "ring.jpg", analysis=analysis, canvas=PLAN, image=image, quality={"before": 1.0}
    )
