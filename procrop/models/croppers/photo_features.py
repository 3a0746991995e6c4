"""What a cropper knows of photos before anything else is fused with them."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from procrop.structures import TokenSet


@dataclass
class PhotoFeatures:
    """Photos behind the image backbone; references, captions and head come after.

    Attributes:
        feature_map (Tensor): The image backbone's projected map, (B, d, h, w), padded as the batch is.
        tokens (TokenSet): What the contexts are fused into, (B, h·w, d): the encoder's tokens f̃, or the map's own where
            contexts are fused before the encoder.
        extent (Tensor): Width and height of each unpadded photo in cells of the map, (B, 2) float32.
        evidence (Tensor, optional): How much each cell belongs to the photo's subject, (B, rows, columns), at least 0,
            padded as the batch is; None where the image backbone does not tell.
        look (optional): What the image backbone gave on the way, which the encoder of references may take in place of
            a look of its own; None where it keeps nothing.
    """

    feature_map: Tensor
    tokens: TokenSet
    extent: Tensor
    evidence: Tensor | None = None
    look: Any = None
