"""DreamSim's network: one to three vision transformers whose image embeddings are joined."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import pixel_statistics
from .vision_transformer import VisionTransformer

IMAGE_SIZE = 224


@dataclass(frozen=True)
class Branch:
    """What tells one of DreamSim's vision transformers from another.

    Attributes:
        patch_size: Side of a patch in pixels.
        is_clip: CLIP's way: norm before the blocks, projected output, CLIP's RGB statistics.
        quick_gelu: OpenAI's activation.
    """

    patch_size: int
    is_clip: bool
    quick_gelu: bool = False


BRANCHES = {
    "dino_vitb16": Branch(16, is_clip=False),
    "clip_vitb16": Branch(16, is_clip=True, quick_gelu=True),
    "clip_vitb32": Branch(32, is_clip=True, quick_gelu=True),
    "open_clip_vitb16": Branch(16, is_clip=True),
    "open_clip_vitb32": Branch(32, is_clip=True),
}
VARIANTS = {
    "ensemble": ("dino_vitb16", "clip_vitb16", "open_clip_vitb16"),
    "dino_vitb16": ("dino_vitb16",),
    "clip_vitb32": ("clip_vitb32",),
    "open_clip_vitb32": ("open_clip_vitb32",),
}


class DreamSimBranch(nn.Module):
    """One vision transformer and its way from tokens to an image embedding.

    Args:
        name: Key of ``BRANCHES``.
        width, depth, heads: Size of the transformer.
        out_dim: Length of CLIP's projected embedding; DINO's is the class token itself.
    """

    def __init__(self, name: str, width: int, depth: int, heads: int, out_dim: int) -> None:
        super().__init__()
        branch = BRANCHES[name]
        self.name = name
        self.vit = VisionTransformer(
            branch.patch_size,
            IMAGE_SIZE,
            width,
            depth,
            heads,
            pre_norm=branch.is_clip,
            quick_gelu=branch.quick_gelu,
            eps=1e-5 if branch.is_clip else 1e-6,
        )
        self.proj = nn.Parameter(torch.randn(width, out_dim) * width**-0.5) if branch.is_clip else None
        self.out_dim = out_dim if branch.is_clip else width
        self.statistics = pixel_statistics.CLIP if branch.is_clip else pixel_statistics.IMAGENET

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (b, 3, 224, 224) uint8 -> embedding (b, out_dim), patches of the last block (b, w, g, g)."""
        x = pixel_statistics.standardise(images, *self.statistics)
        tokens = self.vit(x.to(self.vit.cls_token.dtype))
        embedding = tokens[:, 0]
        if self.proj is not None:
            embedding = self.vit.norm(embedding) @ self.proj
        return embedding, tokens[:, 1:].transpose(1, 2).unflatten(2, (self.vit.grid, self.vit.grid))


class DreamSim(nn.Module):
    """DreamSim (Fu et al. 2023): its distance is one minus the cosine of two embeddings.

    DINO's embedding is the class token before the final norm, as DreamSim reads it; CLIP's is the projected one.

    Args:
        variant: Key of ``VARIANTS``.
        width, depth, heads, out_dim: Size of every branch; the defaults are the published ones.

    Raises:
        ValueError: An unknown variant.
    """

    def __init__(
        self, variant: str, width: int = 768, depth: int = 12, heads: int = 12, out_dim: int = 512
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, not {variant!r}")
        self.branches = nn.ModuleList(
            DreamSimBranch(name, width, depth, heads, out_dim) for name in VARIANTS[variant]
        )
        self.embed_dim = sum(branch.out_dim for branch in self.branches)
        self.token_dim = width * len(self.branches)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (b, 3, 224, 224) uint8 -> float32 embedding (b, embed_dim), centred and of length one, and the
        branches' patches (b, token_dim, g, g) one after the other.

        The branches of a variant have patches of one size, so their maps lie over each other.
        """
        embeddings, patches = zip(*(branch(images) for branch in self.branches), strict=True)
        embedding = torch.cat(embeddings, dim=1).float()
        embedding = embedding - embedding.mean(dim=1, keepdim=True)
        return embedding / embedding.norm(dim=1, keepdim=True), torch.cat(patches, dim=1)
