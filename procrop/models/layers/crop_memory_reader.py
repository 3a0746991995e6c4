"""Given crops look into the photo's memory."""

import torch
from mmdet.models.layers.transformer.utils import coordinate_to_encoding
from mmengine.model import BaseModule
from torch import Tensor, nn

from procrop.structures import TokenSet

from .cross_attention import ContextCrossAttention


class CropMemoryReader(BaseModule):
    """One cross-attention from each crop's features to the memory: the photo's tokens and what was fused with them.

    A crop asks with its features and its place in the photo, and what it reads is added to its features. The last
    layer starts at zero, so a new head is exactly the one without memory. Crops do not see each other. Without
    references the same layer reads the photo's own tokens.

    Args:
        channels (int): Width c of a crop's feature vector.
        embed_dims (int): Width d of the memory, even.
        num_heads (int): Attention heads.
        dropout (float): Dropout on the attention weights.
    """

    def __init__(
        self,
        channels: int,
        embed_dims: int = 256,
        num_heads: int = 8,
        dropout: float = 0.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.query_proj = nn.Linear(channels, embed_dims)
        self.box_proj = nn.Linear(2 * embed_dims, embed_dims)
        # cells of an image backbone's map are several times longer than projected references; left so, they take all of
        # the attention from the start, and the references never get a gradient to speak of
        self.memory_norm = nn.LayerNorm(embed_dims)
        self.attention = ContextCrossAttention(embed_dims, num_heads, dropout)
        self.out_proj = nn.Linear(embed_dims, channels)
        nn.init.zeros_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, vectors: Tensor, boxes: Tensor, memory: TokenSet) -> Tensor:
        """Read.

        Args:
            vectors (Tensor): Features of the crops, (B, M, c).
            boxes (Tensor): (B, M, 4) cxcywh, normalised by the unpadded photo.
            memory (TokenSet): (B, n, d); masked tokens are not seen, and all may be masked.

        Returns:
            Tensor: (B, M, c), to be added to the vectors.
        """
        sine = coordinate_to_encoding(boxes, num_feats=self.embed_dims // 2)  # (B, M, 2 d)
        query = TokenSet(self.query_proj(vectors), self.box_proj(sine.to(vectors.dtype)))
        tokens = self.memory_norm(memory.tokens)
        pos = torch.zeros_like(tokens) if memory.pos is None else memory.pos
        mask = memory.mask
        if mask is None:
            mask = torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return self.out_proj(self.attention(query, TokenSet(tokens, pos, mask)))
