"""The fusion neck: a photo's tokens and its contexts become one memory."""

from typing import NamedTuple

import torch
from torch import nn

from procrop.registry import MODELS
from procrop.structures import TokenSet

from .base_fusion_neck import BaseFusionNeck
from .photo_grid import on_photo_grid

_GRIDS = ("own", "photo")


class MemorySegment(NamedTuple):
    """Neighbouring tokens of a memory that are of one kind.

    Attributes:
        term: "photo" for f̃; else "context", Π of a context, or "attended", what the photo reads out of it.
        context: name of that context; None for the photo.
        length: number of tokens.
    """

    term: str
    context: str | None
    length: int


@MODELS.register_module()
class FusionNeck(BaseFusionNeck):
    r"""Fuse retrieved (and textual) context into the photo's features (paper, feature fusion).

    .. code-block:: text

        f̃ ───────────────────────────────┐
        │                                 │
        ├─ CrossAttn(f̃, Π(R)) ─► f_c ────┤
        │             ▲                   ├─► memory = [f̃, Π(R), f_c, Π′(M), f′_c]
        Π(R) ─────────┴───────────────────┤      along the token axis, f̃ once
        Π′(M), f′_c: the same, in parallel┘

    With ``terms=("context",)`` the memory is [f̃, Π(R)], with ``("attended",)`` it is [f̃, f_c].

    Args:
        context_grid (str): ``"own"``: the tokens of all references, K·m, as they are. ``"photo"``: Π(R) has the
            photo's spatial size too, p tokens: the mean over the references, resampled to the photo's raster.
        kwargs: See :class:`BaseFusionNeck`.

    Raises:
        ValueError: An option is unknown.
    """

    def __init__(self, context_grid: str = "own", **kwargs) -> None:
        super().__init__(**kwargs)
        if context_grid not in _GRIDS:
            raise ValueError(f"FusionNeck: context_grid must be one of {_GRIDS}, got {context_grid!r}")
        self.context_grid = context_grid
        # what inherits the photo's positions is told from the photo's own tokens by these
        self.attended_embedding = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(self.embed_dims)) for name in self.attentions}
        )
        gridded = self.contexts if context_grid == "photo" else ()
        self.context_embedding = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(self.embed_dims)) for name in gridded}
        )

    def forward(self, query: TokenSet, contexts: dict[str, TokenSet]) -> TokenSet:
        """Build the memory: (B, p + Σ (n + p), d) with both terms, n = p on the photo's grid.

        See :meth:`BaseFusionNeck.forward`.
        """
        memory = [query]
        for name, context in self.present(query, contexts):
            mask = self.absent(context).expand(-1, query.num_tokens)
            if query.mask is not None:
                mask = mask | query.mask
            if self.context_grid == "photo":
                pos = query.pos + self.context_embedding[name]
                context = TokenSet(on_photo_grid(query, context), pos, mask)
            if "context" in self.terms:
                memory.append(context)
            if "attended" in self.terms:
                attended = self.attentions[name](query, context)
                memory.append(TokenSet(attended, query.pos + self.attended_embedding[name], mask))
        return TokenSet.cat(memory)

    def segments(self, query: TokenSet, contexts: dict[str, TokenSet]) -> list[MemorySegment]:
        """What lies where in the memory that :meth:`forward` builds of the same arguments, in its order."""
        photo = query.num_tokens
        found = [MemorySegment("photo", None, photo)]
        for name, context in self.present(query, contexts):
            if "context" in self.terms:
                length = photo if self.context_grid == "photo" else context.num_tokens
                found.append(MemorySegment("context", name, length))
            if "attended" in self.terms:
                found.append(MemorySegment("attended", name, photo))
        return found
