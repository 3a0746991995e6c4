"""Croppers that were not trained for it: they label photos for those that are."""

from .evidence_teacher import EvidenceTeacher
from .referenced_teacher import ReferencedTeacher

__all__ = ["EvidenceTeacher", "ReferencedTeacher"]
