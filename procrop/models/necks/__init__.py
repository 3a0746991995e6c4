"""Necks: what a photo's features meet on their way to the crop head."""

from .fusion_neck import FusionNeck
from .reference_encoder import ReferenceEncoder

__all__ = ["FusionNeck", "ReferenceEncoder"]
