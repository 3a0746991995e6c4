"""A variable number of tokens becomes a fixed one."""

import torch
from mmengine.model import BaseModule
from torch import nn

from procrop.structures import TokenSet

from .cross_attention import ContextCrossAttention


class TokenResampler(BaseModule):
    """Learned queries read a set of tokens, as in the Perceiver family: one cross-attention and one feed-forward.

    All references of a photo are read together, so the memory has the same length whatever their number. Queries and
    their positions are learned; the order of the tokens changes nothing.

    Args:
        num_latents (int): Number L of learned queries.
        embed_dims (int): Model width d.
        num_heads (int): Attention heads.
        dropout (float): Dropout on the attention weights.
    """

    def __init__(
        self,
        num_latents: int,
        embed_dims: int = 256,
        num_heads: int = 8,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.latents = nn.Parameter(torch.randn(num_latents, embed_dims))
        self.positions = nn.Parameter(torch.randn(num_latents, embed_dims) * 0.02)
        self.attention = ContextCrossAttention(embed_dims, num_heads, dropout)
        self.ffn = nn.Sequential(
            nn.Linear(embed_dims, 4 * embed_dims), nn.ReLU(), nn.Linear(4 * embed_dims, embed_dims)
        )
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, tokens: TokenSet) -> TokenSet:
        """Tokens (B, n, d) with positions and mask (B, n), n may be 0, to (B, L, d); masked where all of n are."""
        batch = tokens.tokens.size(0)
        pos = self.positions.expand(batch, -1, -1)
        read = self.latents + self.attention(TokenSet(self.latents.expand(batch, -1, -1), pos), tokens)
        mask = tokens.mask.all(dim=1, keepdim=True).expand(-1, len(self.latents))
        return TokenSet(self.norm(read + self.ffn(read)), pos, mask)
