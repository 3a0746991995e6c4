"""All that the rules for words and for composition classes are made of, measured once in a photo."""

from dataclasses import dataclass, fields

import cv2
import numpy as np

from procrop.retrieval.line_descriptor import find_segments, normalised_grey

from .colours import colour_name, dominant_colours, texture_name
from .lines import colour_step_height, curve_size, horizon_height, line_masses, triangle_size
from .regularity import mirror_symmetry, pattern_strength
from .subject import Subject, find_subject

_SIDE = 256  # long side in pixels of the working size
_BORDER = 0.12  # of the frame: what lies along a side
_CANNY = 60, 140  # of grey values of a common contrast
# raise when anything measured changes
LAYOUT_VERSION = 1


@dataclass(frozen=True)
class LineMeasures:
    """What a photo's lines, symmetry and texture come to; see the functions of `lines` and `regularity`."""

    horizontal: float
    vertical: float
    rising: float
    falling: float
    triangle: float
    curve: float
    symmetry: float
    reflection: float
    pattern: float

    def mirrored(self) -> "LineMeasures":
        """The measures of the mirrored photo: what rises falls."""
        values = dict(self.__dict__)
        return LineMeasures(**values | {"rising": self.falling, "falling": self.rising})

    def mean(self, other: "LineMeasures") -> "LineMeasures":
        """Half of both."""
        return LineMeasures(
            *((getattr(self, f.name) + getattr(other, f.name)) / 2 for f in fields(LineMeasures))
        )


@dataclass(frozen=True)
class PhotoLayout:
    """A photo as the rules see it. A mirrored photo has the mirrored layout, up to the rounding of sums.

    Attributes:
        subject: What stands out; None where nothing does.
        subject_colour: Its mean colour in words; empty without one.
        lines: Lines, symmetry and texture.
        horizon: Height in [0, 1] from the top of a line or change of colour across the photo; None without one.
        sides: What lies along the "left", "right", "top" and "bottom", in words.
        colours: Names of the colours that fill most of it, largest first.
        brightness: Mean grey value in [0, 1].
    """

    subject: Subject | None
    subject_colour: str
    lines: LineMeasures
    horizon: float | None
    sides: dict[str, str]
    colours: tuple[str, ...]
    brightness: float

    @classmethod
    def of(cls, photo: np.ndarray) -> "PhotoLayout":
        """Measure a photo (H, W, 3) uint8 RGB of any size, at a long side of 256 pixels."""
        small = working_size(photo)
        flipped = np.ascontiguousarray(small[:, ::-1])
        # detectors treat left and right slightly differently: both views have the same say
        (lines, horizon), (other_lines, other_horizon) = (_measure(view) for view in (small, flipped))
        found = [h for h in (horizon, other_horizon) if h is not None]
        subject = find_subject(small)
        return cls(
            subject,
            "" if subject is None else _subject_colour(small, subject),
            lines.mean(other_lines.mirrored()),
            sum(found) / 2 if len(found) == 2 else None,
            _sides(small),
            dominant_colours(small),
            float(small.sum(dtype=np.int64) / (255 * small.size)),
        )


def working_size(photo: np.ndarray, both_views: bool = True) -> np.ndarray:
    """Scale down to the working size, so that a mirrored photo comes out exactly mirrored.

    Without ``both_views`` it does so up to one grey value, at a fifth of the cost.
    """
    height, width = photo.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    if not both_views:
        return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    views = [np.ascontiguousarray(view) for view in (photo, photo[:, ::-1])]
    here, there = (cv2.resize(view, size, interpolation=cv2.INTER_AREA).astype(np.uint16) for view in views)
    return ((here + there[:, ::-1] + 1) // 2).astype(np.uint8)


def _measure(small: np.ndarray) -> tuple[LineMeasures, float | None]:
    grey = normalised_grey(small)
    segments = find_segments(grey)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    edges = cv2.Canny(cv2.GaussianBlur(grey, (0, 0), 1.0), *_CANNY, L2gradient=True) > 0
    plain = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.8)
    measures = LineMeasures(
        *line_masses(segments),
        triangle_size(segments),
        curve_size(edges),
        *mirror_symmetry(lab),
        pattern_strength(plain),
    )
    line = horizon_height(segments)
    return measures, colour_step_height(lab) if line is None else line


def _subject_colour(small: np.ndarray, subject: Subject) -> str:
    height, width = small.shape[:2]
    mask = cv2.resize(subject.mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    pixels = small[mask] if mask.any() else small.reshape(-1, 3)
    return colour_name(pixels.sum(axis=0, dtype=np.int64) / len(pixels))


def _sides(small: np.ndarray) -> dict[str, str]:
    height, width = small.shape[:2]
    deep, wide, half = max(2, round(height * _BORDER)), max(2, round(width * _BORDER)), height // 2
    sides = {"top": texture_name(small[:deep]), "bottom": texture_name(small[-deep:])}
    for side, strip in (("left", small[:, :wide]), ("right", small[:, -wide:])):
        upper, lower = texture_name(strip[:half]), texture_name(strip[half:])
        sides[side] = upper if upper == lower else f"{upper} above {lower}"
    return sides
