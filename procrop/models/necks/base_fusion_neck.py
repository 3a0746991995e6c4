"""What every fusion neck does before it joins a photo and its contexts."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from procrop.structures import TokenSet

from ..layers import ContextCrossAttention

TERMS = ("context", "attended")


class BaseFusionNeck(BaseModule, metaclass=ABCMeta):
    """Holds the cross-attention of each context, and sees to it that absent contexts change nothing.

    What holds for the memory of every fusion neck, as the decoder sees it:

    - a photo without context gets exactly the retrieval-free model's output for the same weights;
    - the order of the references changes nothing (they carry their similarity, not their rank);
    - padding and the company in the batch change nothing;
    - every parameter takes part on every rank, whatever the batch holds, so DDP needs no search for unused ones.

    Args:
        embed_dims (int): Model width d.
        contexts (Sequence[str]): Names of the contexts this neck can fuse, in memory order.
        num_heads (int): Heads of each cross-attention.
        dropout (float): Dropout on the cross-attention weights.
        terms (Sequence[str]): What of a context joins the photo's tokens: its own tokens, ``"context"``, what the
            photo reads out of them, ``"attended"``, or both. Without the latter there is no cross-attention.

    Raises:
        ValueError: ``terms`` is empty or names something else.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        contexts: Sequence[str] = ("references",),
        num_heads: int = 8,
        dropout: float = 0.1,
        terms: Sequence[str] = TERMS,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not terms or not set(terms) <= set(TERMS) or len(set(terms)) < len(terms):
            raise ValueError(
                f"{type(self).__name__}: terms must be one or both of {TERMS}, got {tuple(terms)}"
            )
        self.embed_dims, self.contexts, self.terms = embed_dims, tuple(contexts), tuple(terms)
        attending = self.contexts if "attended" in terms else ()
        self.attentions = nn.ModuleDict(
            {name: ContextCrossAttention(embed_dims, num_heads, dropout) for name in attending}
        )

    @abstractmethod
    def forward(self, query: TokenSet, contexts: dict[str, TokenSet]) -> TokenSet:
        """Build the memory.

        Args:
            query (TokenSet): f̃, the photo's tokens: (B, p, d), positions (B, p, d), mask (B, p) or None.
            contexts (dict[str, TokenSet]): Projected tokens (B, n, d) with positions and mask (B, n) by context
                name. A name may be missing, a set may be empty, and every token of a photo may be masked.

        Returns:
            TokenSet: The whole memory.

        Raises:
            ValueError: A context that this neck was not configured for.
        """

    def present(self, query: TokenSet, contexts: dict[str, TokenSet]) -> Iterator[tuple[str, TokenSet]]:
        """The contexts to fuse, in order; in training an empty set for a missing one, so that its weights take part.

        Raises:
            ValueError: A context that this neck was not configured for.
        """
        unknown = sorted(set(contexts) - set(self.contexts))
        if unknown:
            raise ValueError(
                f"{type(self).__name__} got context {unknown}, but is configured for {sorted(self.contexts)}: "
                "add the name to `contexts` of the fusion neck"
            )
        for name in self.contexts:
            if name in contexts:
                yield name, contexts[name]
            elif self.training:
                empty = query.tokens[:, :0]
                mask = torch.zeros(empty.shape[:2], dtype=torch.bool, device=empty.device)
                yield name, TokenSet(empty, empty, mask, grid=(1, 1))

    @staticmethod
    def absent(context: TokenSet) -> Tensor:
        """Photos without any token of a context: (B, 1) bool; all of them where the set is empty."""
        return context.mask.all(dim=1, keepdim=True)
