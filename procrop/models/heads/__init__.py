"""Crop heads: from features to scored crops."""

from .base_crop_head import BaseCropHead, CropFeatures, SoftTargets
from .crop_detr_head import CropDETRHead

__all__ = ["BaseCropHead", "CropDETRHead", "CropFeatures", "SoftTargets"]
