"""Layers that mmdet and mmcv do not have in the form needed here."""

from .conditional_decoder import ConditionalCropDecoder
from .crop_memory_reader import CropMemoryReader
from .crop_pooling import CropPooling
from .cross_attention import ContextCrossAttention
from .photo_extent import extent_in_cells, padding_mask
from .rod_align import fill_padding, rod_align
from .token_projection import PROJECTIONS, token_projection
from .token_resampler import TokenResampler

__all__ = [
    "PROJECTIONS",
    "ConditionalCropDecoder",
    "ContextCrossAttention",
    "CropMemoryReader",
    "CropPooling",
    "TokenResampler",
    "extent_in_cells",
    "fill_padding",
    "padding_mask",
    "rod_align",
    "token_projection",
]
