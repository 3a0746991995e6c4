"""Aesthetic principles, one a file: each scores crops of a photo by what is known of it."""

from .base import Principle
from .horizon_on_third import HorizonOnThird
from .known_area_kept import KnownAreaKept
from .rule_of_thirds import RuleOfThirds
from .subject_whole import SubjectWhole
from .visual_balance import VisualBalance

__all__ = ["HorizonOnThird", "KnownAreaKept", "Principle", "RuleOfThirds", "SubjectWhole", "VisualBalance"]
