"""One photo on its way through the pipeline."""

from dataclasses import dataclass, field, replace

import numpy as np

from .analysis import CompositionAnalysis
from .canvas_plan import CanvasPlan


@dataclass(frozen=True)
class CADItem:
    """One expansion of one source photo, and what the steps have made of it so far.

    A step returns a copy with its own fields set (``item.with_(canvas=...)``) and leaves the others alone.

    Attributes:
        source_id: Name of the source photo, unique among the sources; no path in it.
        variant: Number of the expansion, from 0; steps on the source photo alone see variant 0 only.
        path: File of the source photo, for messages and provenance.
        licence: Its licence, if known.
        photo: (H, W, 3) uint8 RGB, upright.
        analysis: Composition as text.
        masks: (L, H, W) uint16 label maps of the photo, coarse to fine; 0 = no mask.
        canvas: Size and known area.
        image: (height, width, 3) uint8 RGB: the outpainted canvas; pixels of the known area are the photo's.
        quality: Figures of the quality filter by name.
        composition: One of the nine classes of the source photo.
        crops: (n, 4) float64 xyxy in pixels of the canvas: the initial crops.
    """

    source_id: str
    variant: int
    path: str
    licence: str | None = None
    photo: np.ndarray | None = None
    analysis: CompositionAnalysis | None = None
    masks: np.ndarray | None = None
    canvas: CanvasPlan | None = None
    image: np.ndarray | None = None
    quality: dict[str, float] = field(default_factory=dict)
    composition: str | None = None
    crops: np.ndarray | None = None

    @property
    def key(self) -> str:
        """Name of the expansion: source id and number."""
        return f"{self.source_id}_{self.variant}"

    def with_(self, **fields: object) -> "CADItem":
        """A copy with other values in some fields."""
        return replace(self, **fields)

    def need(self, name: str, step: str) -> object:
        """The value of a field that ``step`` works on.

        Raises:
            ValueError: No earlier step has made it.
        """
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"{step} needs `{name}`: put a step that makes it before {step} in the pipeline")
        return value
