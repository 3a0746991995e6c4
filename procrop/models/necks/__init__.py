"""Necks: what a photo's features meet on their way to the crop head."""

from .channel_fusion_neck import ChannelFusionNeck
from .fusion_neck import FusionNeck
from .reference_encoder import ReferenceEncoder
from .text_context_encoder import TextContextEncoder

__all__ = ["ChannelFusionNeck", "FusionNeck", "ReferenceEncoder", "TextContextEncoder"]
