"""Transformer parts that mmdet does not have in the form needed here."""

from .conditional_decoder import ConditionalCropDecoder
from .cross_attention import ContextCrossAttention
from .token_resampler import TokenResampler

__all__ = ["ConditionalCropDecoder", "ContextCrossAttention", "TokenResampler"]
