"""The second reading of the paper's concatenation: along the channels."""

import torch
from torch import nn

from procrop.registry import MODELS
from procrop.structures import TokenSet

from .base_fusion_neck import BaseFusionNeck
from .photo_grid import on_photo_grid


@MODELS.register_module()
class ChannelFusionNeck(BaseFusionNeck):
    r"""f_R = Concat(f̃, Π(R), f_c) along the channels of the photo's p tokens, projected back to the model's width.

    .. code-block:: text

        f̃ (p, d) ─────────────────────────────┬──────────────────────┐
        Π(R) (K·m, d) ─► mean over K, p tokens ├─► (p, 3d) ─► linear ─► + ─► memory (p, d)
        CrossAttn(f̃, Π(R)) ─► f_c (p, d) ──────┘

    The linear map starts at zero and its result is added to f̃, so that training starts from the retrieval-free
    model, and a photo without references keeps exactly f̃. Each context has a linear map of its own, which is one map
    over all channels, cut into blocks. f_c attends to the references as they are, before they are averaged: there
    each of them can still be told from the others.

    Args:
        kwargs: See :class:`BaseFusionNeck`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        width = self.embed_dims * (1 + len(self.terms))
        self.projections = nn.ModuleDict({name: nn.Linear(width, self.embed_dims) for name in self.contexts})
        for projection in self.projections.values():
            nn.init.zeros_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, query: TokenSet, contexts: dict[str, TokenSet]) -> TokenSet:
        """Build the memory: (B, p, d), with the photo's positions and mask.

        See :meth:`BaseFusionNeck.forward`.

        Raises:
            ValueError: The tokens of a context lie on no raster.
        """
        tokens = query.tokens
        for name, context in self.present(query, contexts):
            parts = [query.tokens]
            if "context" in self.terms:
                parts.append(on_photo_grid(query, context))
            if "attended" in self.terms:
                parts.append(self.attentions[name](query, context))
            change = self.projections[name](torch.cat(parts, dim=-1))
            tokens = tokens + change.masked_fill(self.absent(context).unsqueeze(-1), 0.0)
        return TokenSet(tokens, query.pos, query.mask, query.grid)
