"""Cross-attention from the photo's tokens to a context that may be absent."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from procrop.structures import TokenSet


class ContextCrossAttention(BaseModule):
    """f_c = CrossAttn(f̃, Π(R)): the photo's tokens gather what a context offers them (paper, feature fusion).

    A learned null token is always visible beside the context, so a photo without any context token attends to
    something finite. Keys carry the positional encoding, values do not.

    Args:
        embed_dims (int): Model width d.
        num_heads (int): Attention heads.
        dropout (float): Dropout on the attention weights.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        num_heads: int = 8,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.query_norm = nn.LayerNorm(embed_dims)
        self.attn = nn.MultiheadAttention(embed_dims, num_heads, dropout=dropout, batch_first=True)
        self.out_norm = nn.LayerNorm(embed_dims)
        self.null_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        nn.init.normal_(self.null_token, std=0.02)

    def forward(self, query: TokenSet, context: TokenSet) -> Tensor:
        """Attend.

        Args:
            query (TokenSet): f̃, tokens and positions (B, p, d).
            context (TokenSet): Π(R), tokens and positions (B, n, d), mask (B, n); n may be 0.

        Returns:
            Tensor: f_c, (B, p, d).
        """
        asked, key, value, mask = self._inputs(query, context)
        attended, _ = self.attn(asked, key, value, key_padding_mask=mask, need_weights=False)
        return self.out_norm(attended)

    def weights(self, query: TokenSet, context: TokenSet) -> Tensor:
        """What :meth:`forward` looks at: (B, p, 1 + n), mean over the heads, each row with the sum 1 outside training.

        Column 0 is the null token, then come the context's tokens. They are computed anew: the forward pass forms none.
        """
        asked, key, value, mask = self._inputs(query, context)
        return self.attn(asked, key, value, key_padding_mask=mask, need_weights=True)[1]

    def _inputs(self, query: TokenSet, context: TokenSet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries (B, p, d), keys and values (B, 1 + n, d), mask (B, 1 + n)."""
        batch = query.tokens.size(0)
        null = self.null_token.expand(batch, -1, -1)
        value = torch.cat([null, context.tokens], dim=1)
        key = torch.cat([null, context.tokens + context.pos], dim=1)
        mask = torch.cat([context.mask.new_zeros(batch, 1), context.mask], dim=1)
        return self.query_norm(query.tokens) + query.pos, key, value, mask
