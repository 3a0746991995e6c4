"""Facts about a photo that nobody has annotated, measured in its pixels."""

import cv2
import numpy as np

from procrop.evaluation.photo_composition import saliency_map
from procrop.structures.boxes import clip_boxes

from ..layout.photo_layout import PhotoLayout
from .photo_facts import PhotoFacts

_SALIENCY_SIDE = 48  # long side; a few kilobytes a photo


def measure_facts(
    photo: np.ndarray,
    size: tuple[int, int],
    known: np.ndarray,
    known_score: float = 5.0,
    subject: np.ndarray | None = None,
) -> PhotoFacts:
    """Measure saliency in the whole photo; subject and horizon in the known area, whose pixels are no invention.

    Args:
        photo: (h, w, 3) uint8 RGB, at any size.
        size: (width, height) of the whole photo, in whose pixels boxes are.
        known: (4,) ``xyxy`` known area.
        known_score: Its score.
        subject: (4,) ``xyxy`` where it is annotated; None measures it.
    """
    height, width = photo.shape[:2]
    factor = np.array([size[0] / width, size[1] / height] * 2)
    x1, y1, x2, y2 = np.round(clip_boxes(np.asarray(known) / factor, (width, height))).astype(int)
    inside = photo[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    horizon = None
    if min(inside.shape[:2]) >= 8:
        layout = PhotoLayout.of(inside)
        area = np.array([known[2] - known[0], known[3] - known[1]] * 2, np.float64)
        if subject is None and layout.subject is not None:
            subject = np.array(layout.subject.box) * area + np.tile(known[:2], 2)
        if layout.horizon is not None:
            horizon = float(known[1] + layout.horizon * (known[3] - known[1]))
    saliency = saliency_map(photo)
    scale = _SALIENCY_SIDE / max(saliency.shape)
    raster = [max(1, round(side * scale)) for side in saliency.shape[::-1]]
    saliency = cv2.resize(saliency, raster, interpolation=cv2.INTER_AREA)
    return PhotoFacts(size, np.asarray(known, np.float64), known_score, subject, saliency, horizon)
