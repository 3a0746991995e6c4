"""What is asked of the crops of a photo."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class ReferenceChoice:
    """Which photos of the gallery a crop is made after, beyond the nearest ones. Photos are named as the gallery does.

    Attributes:
        k: references in all, each counted once; None: as many as in training.
        pinned: these are always among them, before the nearest.
        banned: these never are.
        weights: name -> how often a reference counts, if it is among them: 2 is the same as two copies of it in the
            gallery, and none drops out for the second; 0 leaves it out, and the next one does not come in its place.
    """

    k: int | None = None
    pinned: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class CropRequest:
    """What is asked of the crops of one photo, or of all photos of a run.

    Attributes:
        top_k: number of crops.
        ratio: width / height as text, e.g. "16:9", "1.91:1", "original"; None leaves the shape to the model.
        size: (width, height) in pixels of the written crop; it implies the ratio. None writes the crop's own pixels.
        min_area: least share of the photo's area that a crop has, in [0, 1].
        max_overlap: no two crops of a photo have a larger IoU; None does not look.
        subject: box (x1, y1, x2, y2), pixels of the upright photo, that every crop must keep whole where it can; None:
            where a ratio is asked for, the subject is what stands out.
        references: which references.
        caption: what the crops are to show; None: what the caption model writes, if there is one.
    """

    top_k: int = 3
    ratio: str | None = None
    size: tuple[int, int] | None = None
    min_area: float = 0.0
    max_overlap: float | None = None
    subject: tuple[float, float, float, float] | None = None
    references: ReferenceChoice = ReferenceChoice()
    caption: str | None = None
