"""What the cropper has to say about one photo."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from procrop.inference.attention import ReferenceAttention


@dataclass(frozen=True)
class Reference:
    """A gallery photo that the crops were made after.

    Attributes:
        id: its number in the gallery.
        name: its name in the gallery.
        score: similarity to the photo, larger is nearer.
        path: its file, or None when the gallery does not know one.
        weight: how often it counted.
        title: title of the photo, where the gallery says so.
        author: who made it, likewise.
        licence: licence that it is under, likewise.
    """

    id: int
    name: str
    score: float
    path: str | None = None
    weight: int = 1
    title: str | None = None
    author: str | None = None
    licence: str | None = None

    @property
    def credit(self) -> str:
        """Title, author and licence in one line, as far as they are known; "" where nothing is."""
        return ", ".join(filter(None, (self.title, self.author, self.licence)))


@dataclass(frozen=True, eq=False)
class CropResult:
    """The best crops of one photo, or the reason why there are none.

    Attributes:
        path: the photo's file; for an array ``array <i>``, counted from 0.
        size: (width, height) of the upright photo in pixels; None if it could not be read.
        boxes: (n, 4) float64 xyxy in pixels of the upright photo, best first, inside the photo, with an area; whole
            numbers where a ratio or a size was asked for.
        scores: (n,) float64 in [0, 1], falling.
        references: the gallery photos that were used, the pinned ones first, then the nearest; empty for a model
            without retrieval.
        rejected: why the photo gave no crops, or None.
        caption: the caption whose text tokens the model saw; None without text.
        caption_source: "given", or "generated" by a caption model; None without text.
        image: (H, W, 3) uint8 RGB, the upright photo; None where it was not read or is not kept.
        focal_points: (n, 2) float64 xy in pixels of the upright photo: what must stay in sight if a crop is cut
            further; the middle of the crop where nothing else is known.
        attention: what the crops attended to, where it was asked for.
        notes: what was asked for and could not be, in words.
    """

    path: str
    size: tuple[int, int] | None = None
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    references: list[Reference] = field(default_factory=list)
    rejected: str | None = None
    caption: str | None = None
    caption_source: str | None = None
    image: np.ndarray | None = None
    focal_points: np.ndarray | None = None
    attention: "ReferenceAttention | None" = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.focal_points is None:
            boxes = np.asarray(self.boxes, dtype=np.float64)
            object.__setattr__(self, "focal_points", (boxes[:, :2] + boxes[:, 2:]) / 2)

    def cut(self, rank: int = 0) -> np.ndarray:
        """A crop's pixels (h, w, 3) uint8 RGB, a view of ``image``; edges are rounded to whole pixels.

        Args:
            rank: which crop, 0 is the best.

        Raises:
            ValueError: there is no such crop, or the result does not keep the photo.
        """
        from procrop.visualization import cut_crop

        if self.rejected is not None:
            raise ValueError(f"{self.path}: has no crops: {self.rejected}")
        if not 0 <= rank < len(self.boxes):
            raise ValueError(
                f"{self.path}: has {len(self.boxes)} crops, counted from 0; there is no crop {rank}"
            )
        if self.image is None:
            raise ValueError(f"{self.path}: the result does not keep the photo; ask for it with images=True")
        return cut_crop(self.image, self.boxes[rank])

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python values, in the form of a line of ``crops.jsonl``.

        ``path``; then either ``rejected``, or ``size`` [w, h], ``crops`` [{``box`` [x1, y1, x2, y2], ``score``,
        ``focal_point`` [x, y] in percent of the photo, as CSS ``object-position`` takes them}], ``references``
        [{``id``, ``name``, ``score``, ``path``, ``weight``, ``title``, ``author``, ``licence``}], ``caption`` and
        ``caption_source``, null without text, and ``notes``.
        """
        if self.rejected is not None:
            return {"path": self.path, "rejected": self.rejected}
        crops = [
            {
                "box": [round(float(edge), 3) for edge in box],
                "score": round(float(score), 6),
                "focal_point": [
                    round(100 * float(at) / side, 2) for at, side in zip(point, self.size, strict=True)
                ],
            }
            for box, score, point in zip(self.boxes, self.scores, self.focal_points, strict=True)
        ]
        references = [
            {
                "id": ref.id,
                "name": ref.name,
                "score": round(ref.score, 6),
                "path": ref.path,
                "weight": ref.weight,
                "title": ref.title,
                "author": ref.author,
                "licence": ref.licence,
            }
            for ref in self.references
        ]
        return {
            "path": self.path,
            "size": list(self.size or ()),
            "crops": crops,
            "references": references,
            "caption": self.caption,
            "caption_source": self.caption_source,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as one line of ASCII JSON (an undecodable file name stays reversible).

        Raises:
            ValueError: If a number is not finite.
        """
        return json.dumps(self.to_dict(), allow_nan=False)
