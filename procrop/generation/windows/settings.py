"""What a dataset of windows is a function of, beside its photos."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import GenerationError


@dataclass(frozen=True)
class WindowSettings:
    """What is cut out of a photo, how it is written, and who says where to crop it.

    Attributes:
        windows: Windows of each photo, beside the whole of it.
        seed: Of the windows. Which authors are held out does not depend on it.
        shapes: Least and largest width / height of a window in pixels; drawn evenly between their logarithms.
        smallest: Least side of a window, as a share of the largest window of its shape; drawn evenly up to 1.
        least_subject: Share of the photo's subject map that a window must hold.
        long_side: Longest side of a written photo in pixels; smaller windows stay as they are.
        quality: JPEG quality; chroma is not subsampled.
        scores: Scores of the teacher's crops, first to last.
        val_share: Share of the authors whose photos are held out for validation.
        teacher: Config of a component of MODELS that has the methods of `EvidenceTeacher`.
        imports: Modules to import first, where a teacher of your own is registered.

    Raises:
        GenerationError: A value out of range.
    """

    windows: int = 8
    seed: int = 0
    shapes: Sequence[float] = (0.6, 1.9)
    smallest: float = 0.55
    least_subject: float = 0.35
    long_side: int = 512
    quality: int = 92
    scores: Sequence[float] = (5.0, 4.0, 3.5, 3.2)
    val_share: float = 0.2
    teacher: Mapping[str, Any] = field(default_factory=lambda: dict(type="EvidenceTeacher"))
    imports: Sequence[str] = ()

    def __post_init__(self) -> None:
        low, high = self.shapes if len(self.shapes) == 2 else (0.0, 0.0)
        for name, right, rule in (
            ("windows", self.windows >= 0, "at least 0"),
            ("shapes", 0 < low <= high, "two ratios above 0, the smaller one first"),
            ("smallest", 0 < self.smallest <= 1, "in (0, 1]"),
            ("least_subject", 0 <= self.least_subject <= 1, "in [0, 1]"),
            ("long_side", self.long_side >= 32, "at least 32 pixels"),
            ("quality", 1 <= self.quality <= 100, "a JPEG quality of 1 to 100"),
            ("scores", len(self.scores) > 0, "at least one number"),
            ("val_share", 0 <= self.val_share < 1, "in [0, 1)"),
        ):
            if not right:
                raise GenerationError(f"{name} must be {rule}, not {getattr(self, name)}")

    def as_json(self) -> dict[str, Any]:
        """All that changes the dataset, as JSON values."""
        values = asdict(self)
        del values["imports"]
        return values | {
            "shapes": list(self.shapes),
            "scores": list(self.scores),
            "teacher": dict(self.teacher),
        }
