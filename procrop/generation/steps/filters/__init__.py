"""Checks that outpainted photos must pass, and the filter that combines them."""

from .artefact_filter import ArtefactFilter
from .base import QualityCheck, QualityDrop
from .duplicate_subject_filter import DuplicateSubjectFilter
from .oversized_subject_filter import OversizedSubjectFilter
from .quality_filter import QualityFilter
from .seam_filter import SeamFilter

__all__ = [
    "ArtefactFilter",
    "DuplicateSubjectFilter",
    "OversizedSubjectFilter",
    "QualityCheck",
    "QualityDrop",
    "QualityFilter",
    "SeamFilter",
]
