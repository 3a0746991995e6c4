"""Crop heads: from features to scored crops."""

from .base_crop_head import BaseCropHead, CropFeatures, SoftTargets
from .crop_detr_head import CropDETRHead
from .grid_anchor_head import GridAnchorHead

__all__ = ["BaseCropHead", "CropDETRHead", "CropFeatures", "GridAnchorHead", "SoftTargets"]
