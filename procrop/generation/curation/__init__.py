"""Which predicted crops become labels; importing this package registers all components. Numpy, no torch."""

from .aesthetic_curation import AestheticCuration, CuratedCrops
from .aspect_ratios import snap_to_ratios
from .diversity import AuthorsDiversity, IoUDiversity
from .photo_facts import PhotoFacts
from .principles import HorizonOnThird, KnownAreaKept, RuleOfThirds, SubjectWhole, VisualBalance

__all__ = [
    "AestheticCuration",
    "AuthorsDiversity",
    "CuratedCrops",
    "HorizonOnThird",
    "IoUDiversity",
    "KnownAreaKept",
    "PhotoFacts",
    "RuleOfThirds",
    "SubjectWhole",
    "VisualBalance",
    "snap_to_ratios",
]
