"""The fusion neck: a photo's tokens and its contexts become one memory."""

import torch
from mmengine.model import BaseModule
from torch import nn

from procrop.registry import MODELS
from procrop.structures import TokenSet

from ..layers import ContextCrossAttention


@MODELS.register_module()
class FusionNeck(BaseModule):
    r"""Fuse retrieved (and textual) context into the photo's features (paper, feature fusion).

    .. code-block:: text

        f̃ ───────────────────────────────┐
        │                                 │
        ├─ CrossAttn(f̃, Π(R)) ─► f_c ────┤
        │             ▲                   ├─► memory = [f̃, Π(R), f_c, Π′(M), f′_c]
        Π(R) ─────────┴───────────────────┤      along the token axis, f̃ once
        Π′(M), f′_c: the same, in parallel┘

    What holds for the memory, as the decoder sees it:

    - a photo without context gets exactly the retrieval-free model's output for the same weights;
    - the order of the references changes nothing (they carry their similarity, not their rank);
    - padding and the company in the batch change nothing;
    - every parameter takes part on every rank, whatever the batch holds, so DDP needs no search for unused ones.

    Args:
        embed_dims (int): Model width d.
        contexts (Sequence[str]): Names of the contexts this neck can fuse, in memory order.
        num_heads (int): Heads of each cross-attention.
        dropout (float): Dropout on the cross-attention weights.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        contexts: tuple[str, ...] = ("references",),
        num_heads: int = 8,
        dropout: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.embed_dims = embed_dims
        self.attentions = nn.ModuleDict(
            {name: ContextCrossAttention(embed_dims, num_heads, dropout) for name in contexts}
        )
        # tells attended tokens from the photo's own, whose positions they inherit
        self.attended_embedding = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(embed_dims)) for name in contexts}
        )

    def forward(self, query: TokenSet, contexts: dict[str, TokenSet]) -> TokenSet:
        """Build the memory.

        Args:
            query (TokenSet): f̃, the photo's tokens: (B, p, d), positions (B, p, d), mask (B, p) or None.
            contexts (dict[str, TokenSet]): Projected tokens (B, n, d) with positions and mask (B, n) by context
                name. A name may be missing, a set may be empty, and every token of a photo may be masked.

        Returns:
            TokenSet: The whole memory, (B, p + Σ (n + p), d).

        Raises:
            ValueError: A context that this neck was not configured for.
        """
        unknown = sorted(set(contexts) - set(self.attentions))
        if unknown:
            raise ValueError(
                f"FusionNeck got context {unknown}, but is configured for {sorted(self.attentions)}: "
                "add the name to `contexts` of the fusion neck"
            )
        memory = [query]
        for name, attention in self.attentions.items():
            context = contexts.get(name)
            if context is None:
                if not self.training:
                    continue
                context = self._empty(query)
            absent = context.mask.all(dim=1, keepdim=True)  # (B, 1); True for zero tokens as well
            attended = attention(query, context)
            mask = absent.expand(-1, query.tokens.size(1))
            if query.mask is not None:
                mask = mask | query.mask
            memory += [context, TokenSet(attended, query.pos + self.attended_embedding[name], mask)]
        return query if len(memory) == 1 else TokenSet.cat(memory)

    @staticmethod
    def _empty(query: TokenSet) -> TokenSet:
        empty = query.tokens[:, :0]
        return TokenSet(empty, empty, torch.zeros(empty.shape[:2], dtype=torch.bool, device=empty.device))
