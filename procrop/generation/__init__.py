"""From professional photos to a weakly annotated crop dataset (paper, composition-aware dataset generation)."""

from .analysis import BeyondImage, CompositionAnalysis, WithinImage
from .canvas_plan import CanvasPlan
from .errors import GenerationError
from .item import CADItem
from .step import DropItem, GenerationStep

__all__ = [
    "BeyondImage",
    "CADItem",
    "CanvasPlan",
    "CompositionAnalysis",
    "DropItem",
    "GenerationError",
    "GenerationStep",
    "WithinImage",
]
