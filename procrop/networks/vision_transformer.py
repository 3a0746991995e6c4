"""Plain vision transformer with a class token, in the layout that DINO's weights are published in."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuickGELU(nn.Module):
    """The approximation of GELU that OpenAI's CLIP was trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, w) -> (b, n, w)."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers, four times as wide between them."""

    def __init__(self, width: int, activation: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.act = activation
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, w) -> (b, n, w)."""
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    """Attention, then the MLP, each with its norm before and a residual around."""

    def __init__(self, width: int, heads: int, activation: nn.Module, eps: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, activation)

    def forward(self, x: Tensor) -> Tensor:
        """(b, n, w) -> (b, n, w)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """One token per patch, row by row."""

    def __init__(self, patch_size: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, n, w)."""
        return self.proj(x).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Vision transformer (Dosovitskiy et al. 2021) for squares of one size; ViT-B by default.

    Args:
        patch_size: Side of a patch in pixels.
        image_size: Side of the image in pixels, a multiple of the patch size.
        width: Channels of a token.
        depth: Blocks.
        heads: Attention heads; they divide the width.
        pre_norm: A layer norm before the first block, as in CLIP.
        quick_gelu: `QuickGELU` instead of GELU.
        eps: Epsilon of the layer norms.
    """

    def __init__(
        self,
        patch_size: int,
        image_size: int = 224,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        pre_norm: bool = False,
        quick_gelu: bool = False,
        eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if image_size % patch_size or width % heads:
            raise ValueError(
                f"patch_size {patch_size} must divide image_size {image_size}, and heads {heads} the width {width}"
            )
        self.width = width
        self.grid = image_size // patch_size
        self.patch_embed = PatchEmbed(patch_size, width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, self.grid**2 + 1, width) * 0.02)
        self.pre_norm = nn.LayerNorm(width, eps=eps) if pre_norm else nn.Identity()
        activation = QuickGELU() if quick_gelu else nn.GELU()
        self.blocks = nn.Sequential(*(Block(width, heads, activation, eps) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, 3, H, W) -> tokens of the last block (b, 1 + n, w), class token first; `norm` not applied."""
        x = self.patch_embed(x)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1)
        return self.blocks(self.pre_norm(x + self.pos_embed))
