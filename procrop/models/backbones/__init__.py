"""Image backbones that mmdet does not have."""

from .efficientnet_lite import EfficientNetLiteBackbone
from .sam import SAMBackbone

__all__ = ["EfficientNetLiteBackbone", "SAMBackbone"]
