"""SAM and its image encoder (Kirillov et al., Segment Anything, 2023): the published architectures and their input.

The network itself is `ImageEncoderViT` of the segment-anything package: a plain ViT over 16 x 16 patches, most of its
blocks attending within windows, with absolute and decomposed relative positions, and a neck to 256 channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

PATCH_SIZE = 16
MLP_RATIO = 4
LAYER_NORM_EPS = 1e-6
# of RGB in [0, 255]; applied before the padding, which is zero in what the network sees
PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class SAMArch:
    """What determines the network, beside its weights.

    Attributes:
        embed_dim: Width of the transformer.
        depth: Number of blocks.
        num_heads: Attention heads of a block.
        global_attn_indexes: Blocks that attend over the whole image; the others attend within windows.
        image_size: Side in pixels of the square input, a multiple of 16.
        window_size: Side of a window in cells of 16 pixels.
        out_channels: Channels of the map that comes out.
    """

    embed_dim: int
    depth: int
    num_heads: int
    global_attn_indexes: tuple[int, ...]
    image_size: int = 1024
    window_size: int = 14
    out_channels: int = 256

    def __post_init__(self) -> None:
        for name in ("embed_dim", "depth", "num_heads", "image_size", "window_size", "out_channels"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} of SAM's image encoder must be at least 1, not {getattr(self, name)}"
                )
        if self.embed_dim % self.num_heads:
            raise ValueError(f"embed_dim {self.embed_dim} is not a multiple of num_heads {self.num_heads}")
        if self.image_size % PATCH_SIZE:
            raise ValueError(f"image_size must be a multiple of {PATCH_SIZE}, not {self.image_size}")
        # blocks that are not there would make equal networks look different
        indexes = tuple(sorted(int(i) for i in self.global_attn_indexes if i < self.depth))
        object.__setattr__(self, "global_attn_indexes", indexes)


ARCHS = {
    "vit_b": SAMArch(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": SAMArch(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": SAMArch(1280, 32, 16, (7, 15, 23, 31)),
}


def sam_arch(model_type: str, changes: Mapping | None = None) -> SAMArch:
    """The architecture of a published model, with ``changes`` to fields of `SAMArch` (for tests and own trainings).

    Raises:
        ValueError: Unknown model type or field, or a value that is not possible.
    """
    if model_type not in ARCHS:
        raise ValueError(f"unknown SAM model_type {model_type!r}; choose from {', '.join(ARCHS)}")
    known = [field.name for field in fields(SAMArch)]
    unknown = sorted(set(changes or ()) - set(known))
    if unknown:
        raise ValueError(f"SAM's arch has no {unknown[0]!r}; it can change {', '.join(known)}")
    return replace(ARCHS[model_type], **(changes or {}))


def build_sam_encoder(arch: SAMArch) -> nn.Module:
    """`ImageEncoderViT` as SAM makes it: (B, 3, S, S) normalised, padded RGB -> (B, out_channels, S / 16, S / 16).

    Raises:
        ImportError: The segment-anything package is not installed.
    """
    try:
        from segment_anything.modeling import ImageEncoderViT
    except ImportError as error:
        raise ImportError("SAM's image encoder needs a package: pip install segment-anything") from error
    return ImageEncoderViT(
        img_size=arch.image_size,
        patch_size=PATCH_SIZE,
        embed_dim=arch.embed_dim,
        depth=arch.depth,
        num_heads=arch.num_heads,
        mlp_ratio=MLP_RATIO,
        out_chans=arch.out_channels,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=LAYER_NORM_EPS),
        use_rel_pos=True,
        window_size=arch.window_size,
        global_attn_indexes=arch.global_attn_indexes,
    )


def build_sam(arch: SAMArch, seed: int | None = None) -> "Sam":
    """A whole SAM as segment-anything makes it: image encoder, prompt encoder and mask decoder.

    Args:
        arch: Of the image encoder; prompts and masks are as wide as its map, 256 channels when published.
        seed: Untrained weights as torch draws them from this seed; None leaves the weights to be loaded.

    Raises:
        ImportError: The segment-anything package is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        encoder = build_sam_encoder(arch)
        from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

        width, grid = arch.out_channels, arch.image_size // PATCH_SIZE
        prompts = PromptEncoder(width, (grid, grid), (arch.image_size, arch.image_size), mask_in_chans=16)
        decoder = MaskDecoder(
            transformer_dim=width,
            transformer=TwoWayTransformer(depth=2, embedding_dim=width, num_heads=8, mlp_dim=8 * width),
        )
        return Sam(encoder, prompts, decoder, list(PIXEL_MEAN), list(PIXEL_STD))


def normalise_sam(images: Tensor) -> Tensor:
    """(B, 3, H, W) RGB in [0, 255], uint8 or float -> float32 less SAM's mean, over its standard deviation."""
    mean, std = (torch.tensor(v, device=images.device).view(-1, 1, 1) for v in (PIXEL_MEAN, PIXEL_STD))
    return (images.float() - mean) / std
