"""Image backbones that mmdet does not have."""

from .efficientnet_lite import EfficientNetLiteBackbone
from .sam import SAMBackbone
from .subject_evidence import SubjectEvidenceBackbone

__all__ = ["EfficientNetLiteBackbone", "SAMBackbone", "SubjectEvidenceBackbone"]
