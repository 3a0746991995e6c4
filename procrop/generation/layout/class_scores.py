"""The nine composition classes of Table 2 by rule."""

import numpy as np

from ..classes import COMPOSITION_CLASSES
from .photo_layout import PhotoLayout

# what is no composition at all scores this as centred: photos without any of the nine are shown as they are
_NOTHING = 0.05
_HORIZON = 0.15


def class_scores(layout: PhotoLayout) -> dict[str, float]:
    """How well each of the nine classes describes a photo, in [0, 1].

    Each score is a ramp from 0 to 1 between two thresholds of a measure:

    - pattern: the same texture everywhere, `pattern_strength` 0.40 to 0.60.
    - symmetric: likeness with the mirror image across either middle, 0.30 to 0.65.
    - triangle: the shorter of two legs that meet, 0.25 to 0.60 of the frame.
    - curved: extent of a bending edge, 0.35 to 0.90 of the frame.
    - diagonal: mass of rising or of falling lines, less the others' half, 0.15 to 0.80.
    - vertical, horizontal: mass of such lines, less the other's half, 0.20 to 1.60; a horizon alone gives 0.15.
    - centre: distance of the subject from the middle, 0.20 to 0.02 of the frame; the clearer the subject, the higher.
    - rule of thirds: distance of the subject from the nearest of the four points, 0.20 to 0.05; likewise.

    Some classes contain others: diagonal gives way to triangle and curved, whose pieces are slanted, and symmetric to
    triangle and pattern.

    Args:
        layout: The photo.
    """
    lines = layout.lines
    slanted = sorted((lines.rising, lines.falling))
    pattern, triangle = _ramp(lines.pattern, 0.40, 0.60), 0.9 * _ramp(lines.triangle, 0.25, 0.60)
    curved = 0.9 * _ramp(lines.curve, 0.35, 0.90)
    symmetric = _ramp(max(lines.symmetry, lines.reflection), 0.30, 0.65)
    scores = {
        "pattern": pattern,
        "symmetric": symmetric * (1 - max(pattern, triangle)),
        "triangle": triangle,
        "curved": curved,
        "diagonal": _ramp(slanted[1] - slanted[0] / 2, 0.15, 0.80) * (1 - max(triangle, curved)),
        "vertical": _ramp(lines.vertical - lines.horizontal / 2, 0.20, 1.60),
        "horizontal": _ramp(lines.horizontal - lines.vertical / 2, 0.20, 1.60),
        "centre": _NOTHING,
        "rule_of_thirds": 0.0,
    }
    if layout.horizon is not None:
        scores["horizontal"] = max(scores["horizontal"], _HORIZON)
    if layout.subject is not None:
        x, y = layout.subject.point
        x1, y1, x2, y2 = layout.subject.box
        # what fills the frame has no place in it
        clear = _ramp(layout.subject.strength, 0.06, 0.35) * _ramp(-(x2 - x1) * (y2 - y1), -0.8, -0.3)
        scores["centre"] = max(_NOTHING, 0.85 * clear * _ramp(-np.hypot(x - 0.5, y - 0.5), -0.20, -0.02))
        nearest = np.hypot(abs(x - 0.5) - 1 / 6, abs(y - 0.5) - 1 / 6)
        scores["rule_of_thirds"] = 0.85 * clear * _ramp(-nearest, -0.20, -0.05)
    return {name: float(scores[name]) for name in COMPOSITION_CLASSES}


def composition_of(layout: PhotoLayout) -> str:
    """The class of the highest score; of equal scores the one that Table 2 names first."""
    scores = class_scores(layout)
    return max(COMPOSITION_CLASSES, key=lambda name: scores[name])


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))
