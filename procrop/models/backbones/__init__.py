"""Image backbones that mmdet does not have."""

from .efficientnet_lite import EfficientNetLiteBackbone

__all__ = ["EfficientNetLiteBackbone"]
