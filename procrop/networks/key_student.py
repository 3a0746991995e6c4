"""A small network that gives a photo the search key that a heavier encoder would give it."""

import math
import os

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .efficientnet_lite import HEAD_CHANNELS, EfficientNetLite

_STRIDES = (8, 16, 32)
_CLASSES = 1000


class KeyStudent(nn.Module):
    """EfficientNet-lite with a head on features of several scales, pooled to coarse grids.

    Flow: (B, 3, H, W) normalised RGB -> maps of strides 8, 16 and 32 and the 1280-channel head -> each pooled to its
    grid, so that the features say where things are -> (B, f) -> `KeyHead` -> (B, key_dim).

    Args:
        key_dim: Length of a key.
        variant: EfficientNet-lite variant.
        grid: Cells per side that the maps of strides 8 and 16 are pooled to; that of stride 32 gets half as many,
            the 1280-channel head a single one.
        hidden: Width of the head's hidden layer.
        unit: Scale keys to length one, for a teacher that compares by cosine.

    Raises:
        ValueError: A size below one, or an unknown variant.
    """

    def __init__(
        self, key_dim: int, variant: str = "lite0", grid: int = 4, hidden: int = 256, unit: bool = True
    ) -> None:
        super().__init__()
        if min(key_dim, grid, hidden) < 1:
            raise ValueError(f"key_dim, grid and hidden must be at least 1, not {key_dim}, {grid}, {hidden}")
        self.trunk = EfficientNetLite(variant, _STRIDES)
        self.trunk.classifier = None  # its ImageNet classes are not asked for
        self.grids = (grid, grid, math.ceil(grid / 2), 1)
        channels = (*self.trunk.out_channels, HEAD_CHANNELS)
        self.widths = tuple(c * g * g for c, g in zip(channels, self.grids, strict=True))
        self.head = KeyHead(sum(self.widths), key_dim, hidden, unit)

    def load_pretrained(self, checkpoint: str | os.PathLike | None = None) -> "KeyStudent":
        """Load the trunk's weights; see `EfficientNetLite.load_pretrained`."""
        # published weights are loaded whole or not at all
        self.trunk.classifier = nn.Linear(HEAD_CHANNELS, _CLASSES)
        self.trunk.load_pretrained(checkpoint)
        self.trunk.classifier = None
        return self

    def features(self, images: Tensor) -> Tensor:
        """Photos (B, 3, H, W) through `normalise` -> features (B, f), one block per map, `widths` wide."""
        maps, top = self.trunk.forward_with_head(images)
        pooled = [
            F.adaptive_avg_pool2d(x, grid).flatten(1)
            for x, grid in zip((*maps, top), self.grids, strict=True)
        ]
        return torch.cat(pooled, dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Photos (B, 3, H, W) through `normalise` -> keys (B, key_dim)."""
        return self.head(self.features(images))


class KeyHead(nn.Module):
    """Features to keys: a linear map and, added to it, what one hidden layer finds.

    The linear map can be set to a least-squares solution, and the hidden layer's output begins at zero: so training
    begins at that solution.

    Args:
        width: Length f of the features.
        key_dim: Length of a key.
        hidden: Width of the hidden layer.
        unit: Scale keys to length one.
    """

    def __init__(self, width: int, key_dim: int, hidden: int, unit: bool) -> None:
        super().__init__()
        self.unit = unit
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.linear = nn.Linear(width, key_dim)
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, key_dim)
        # standardised features have length one in the mean, so unit weights give unit activations
        nn.init.normal_(self.inner.weight)
        nn.init.zeros_(self.inner.bias)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def standardise(self, features: Tensor) -> Tensor:
        """Features (B, f) -> (B, f), centred, each block with the same share of a total variance of one."""
        return (features - self.mean) * self.scale

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, f) -> keys (B, key_dim)."""
        x = self.standardise(features)
        keys = self.linear(x) + self.outer(F.gelu(self.inner(x)))
        return F.normalize(keys, dim=1) if self.unit else keys
