"""What is known of a photo's composition, within its borders and beyond them: one schema for all analysers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .classes import COMPOSITION_CLASSES

PROMPT_MODES = ("caption", "within", "beyond", "both")
SIDES = ("left", "right", "top", "bottom")


class AnalysisError(ValueError):
    """An analysis that does not follow the schema; the message names the key."""


@dataclass(frozen=True)
class WithinImage:
    """What the photo shows.

    Attributes:
        elements: Compositional elements, most important first, in a few words each.
        subject: The salient subject, in a few words; empty where there is none.
        subject_box: (x1, y1, x2, y2) as fractions of the photo's width and height, origin top left; None if unknown.
        composition: One of `COMPOSITION_CLASSES`, or None if unknown.
    """

    elements: tuple[str, ...] = ()
    subject: str = ""
    subject_box: tuple[float, float, float, float] | None = None
    composition: str | None = None


@dataclass(frozen=True)
class BeyondImage:
    """What lies outside the photo.

    Attributes:
        left, right, top, bottom: What continues on that side; empty if unknown.
        scene: The wider scene.
    """

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""
    scene: str = ""


@dataclass(frozen=True)
class CompositionAnalysis:
    """A photo's composition as text (paper, dual-space composition understanding).

    Attributes:
        caption: One sentence on the photo.
        within: What it shows.
        beyond: What lies outside it.
    """

    caption: str
    within: WithinImage = WithinImage()
    beyond: BeyondImage = BeyondImage()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` reads them."""
        values = asdict(self)
        values["within"]["elements"] = list(self.within.elements)
        if self.within.subject_box is not None:
            values["within"]["subject_box"] = list(self.within.subject_box)
        return values

    @classmethod
    def from_dict(cls, values: Any) -> "CompositionAnalysis":  # noqa: ANN401 (whatever a model answered)
        """Check and take an analysis as JSON gives it.

        Raises:
            AnalysisError: A key is missing, unknown or of the wrong kind, a box is not within [0, 1], or the
                composition class is not one of the nine.
        """
        top = _mapping(values, "the analysis", ("caption", "within", "beyond"))
        within = _mapping(top["within"], "within", ("elements", "subject", "subject_box", "composition"))
        beyond = _mapping(top["beyond"], "beyond", (*SIDES, "scene"))
        elements = within["elements"]
        if not isinstance(elements, list):
            raise AnalysisError(f"within.elements must be a list of texts, not {type(elements).__name__}")
        return cls(
            _text(top["caption"], "caption"),
            WithinImage(
                tuple(_text(e, f"within.elements[{i}]") for i, e in enumerate(elements)),
                _text(within["subject"], "within.subject"),
                _box(within["subject_box"]),
                _composition(within["composition"]),
            ),
            BeyondImage(**{key: _text(beyond[key], f"beyond.{key}") for key in (*SIDES, "scene")}),
        )

    def prompt(self, mode: str = "both") -> str:
        """The text that an outpainter is given, one of the modes that Figure 4 compares.

        Args:
            mode: "caption": the caption alone; "within": with elements and subject; "beyond": the caption with what
                continues outside; "both".
        """
        if mode not in PROMPT_MODES:
            raise ValueError(f"prompt mode must be one of {PROMPT_MODES}, got {mode!r}")
        parts = [self.caption]
        if mode in ("within", "both"):
            if self.within.subject:
                parts.append(f"the subject is {self.within.subject}")
            if self.within.elements:
                parts.append("with " + ", ".join(self.within.elements))
        if mode in ("beyond", "both"):
            sides = [f"{side}: {getattr(self.beyond, side)}" for side in SIDES if getattr(self.beyond, side)]
            parts += [*([self.beyond.scene] if self.beyond.scene else []), *sides]
        return ". ".join(part.strip().rstrip(".") for part in parts if part.strip()) + "."


def _mapping(values: Any, name: str, keys: tuple[str, ...]) -> Mapping[str, Any]:  # noqa: ANN401
    if not isinstance(values, Mapping):
        raise AnalysisError(f"{name} must be an object, not {type(values).__name__}")
    missing, unknown = sorted(set(keys) - set(values)), sorted(set(values) - set(keys))
    if missing or unknown:
        raise AnalysisError(f"{name}: keys missing {missing}, unknown {unknown}")
    return values


def _text(value: Any, name: str) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise AnalysisError(f"{name} must be a text, not {type(value).__name__}")
    return " ".join(value.split())


def _box(value: Any) -> tuple[float, float, float, float] | None:  # noqa: ANN401
    if value is None:
        return None
    numbers = isinstance(value, list | tuple) and len(value) == 4
    if not numbers or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise AnalysisError(f"within.subject_box must be four numbers or null, not {value!r}")
    x1, y1, x2, y2 = (float(v) for v in value)
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise AnalysisError(f"within.subject_box must be x1 < x2 and y1 < y2 in [0, 1], not {value!r}")
    return x1, y1, x2, y2


def _composition(value: Any) -> str | None:  # noqa: ANN401
    if value is not None and value not in COMPOSITION_CLASSES:
        raise AnalysisError(f"within.composition must be one of {COMPOSITION_CLASSES} or null, not {value!r}")
    return value
