"""Where the parts of a photo are, at several scales."""

from .sam_masks import SAMMasks
from .superpixel_masks import SuperpixelMasks

__all__ = ["SAMMasks", "SuperpixelMasks"]
