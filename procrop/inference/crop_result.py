"""What the cropper has to say about one photo."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reference:
    """A gallery photo that the crops were made after.

    Attributes:
        id: its number in the gallery.
        name: its name in the gallery.
        score: similarity to the photo, larger is nearer.
        path: its file, or None when the gallery does not know one.
    """

    id: int
    name: str
    score: float
    path: str | None = None


@dataclass(frozen=True, eq=False)
class CropResult:
    """The best crops of one photo, or the reason why there are none.

    Attributes:
        path: the photo's file; for an array ``array <i>``, counted from 0.
        size: (width, height) of the upright photo in pixels; None if it could not be read.
        boxes: (n, 4) float64 xyxy in pixels of the upright photo, best first, inside the photo, with an area.
        scores: (n,) float64 in [0, 1], falling.
        references: the gallery photos that were used, nearest first; empty for a model without retrieval.
        rejected: why the photo gave no crops, or None.
        caption: the caption whose text tokens the model saw; None without text.
        caption_source: "given", or "generated" by a caption model; None without text.
    """

    path: str
    size: tuple[int, int] | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    references: list[Reference] = field(default_factory=list)
    rejected: str | None = None
    caption: str | None = None
    caption_source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python values, in the form of a line of ``crops.jsonl``.

        ``path``; then either ``rejected``, or ``size`` [w, h], ``crops`` [{``box`` [x1, y1, x2, y2], ``score``}],
        ``references`` [{``id``, ``name``, ``score``, ``path``}], ``caption``, ``caption_source``; null without text.
        """
        if self.rejected is not None:
            return {"path": self.path, "rejected": self.rejected}
        crops = [
            {"box": [round(float(edge), 3) for edge in box], "score": round(float(score), 6)}
            for box, score in zip(self.boxes, self.scores, strict=True)
        ]
        references = [
            {"id": ref.id, "name": ref.name, "score": round(ref.score, 6), "path": ref.path}
            for ref in self.references
        ]
        return {
            "path": self.path,
            "size": list(self.size or ()),
            "crops": crops,
            "references": references,
            "caption": self.caption,
            "caption_source": self.caption_source,
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of ASCII JSON (an undecodable file name stays reversible).

        Raises:
            ValueError: If a number is not finite.
        """
        return json.dumps(self.to_dict(), allow_nan=False)
