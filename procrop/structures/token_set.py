"""A batch of token sequences with their positions and padding mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that the package imports without torch
    from torch import Tensor


@dataclass
class TokenSet:
    """Tokens of one source (the photo, its references, its text) for a batch.

    Attributes:
        tokens: (B, n, d) float features.
        pos: (B, n, d) float positional encoding, added to queries and keys by whoever attends; None = zero.
        mask: (B, n) bool, True = ignore (padded or absent); None means that every token counts.
        grid: (rows, columns) of the raster on which the tokens lie, row by row; n is a multiple of rows · columns, one
            raster after another (the references of a photo). None where tokens lie on no raster.

    Raises:
        ValueError: If the shapes do not agree, the mask is not boolean or n is no multiple of the grid.
    """

    tokens: Tensor
    pos: Tensor | None = None
    mask: Tensor | None = None
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3:
            raise ValueError(f"tokens must be (B, n, d), got shape {tuple(self.tokens.shape)}")
        if self.pos is not None and self.pos.shape != self.tokens.shape:
            raise ValueError(
                f"pos must have the tokens' shape {tuple(self.tokens.shape)}, got {tuple(self.pos.shape)}"
            )
        if self.mask is not None:
            if self.mask.shape != self.tokens.shape[:2]:
                raise ValueError(
                    f"mask must be (B, n) = {tuple(self.tokens.shape[:2])}, got {tuple(self.mask.shape)}"
                )
            if str(self.mask.dtype) != "torch.bool":
                raise ValueError(f"mask must be bool with True = ignore, got {self.mask.dtype}")
        if self.grid is not None and self.tokens.shape[1] % (self.grid[0] * self.grid[1]):
            raise ValueError(f"{self.tokens.shape[1]} tokens are no whole number of rasters {self.grid}")

    @property
    def num_tokens(self) -> int:
        """Number n of tokens per sample, padded and absent ones included."""
        return self.tokens.shape[1]

    @classmethod
    def cat(cls, sets: Sequence[TokenSet]) -> TokenSet:
        """Join sets of one batch along the token axis, in the given order.

        A zero ``pos`` or an all-False ``mask`` is filled in for a set without one only if another set has
        one; when none has, the result has none either. Joined sets lie on no one raster: several have no grid.

        Args:
            sets: At least one set; all with the same B and d.

        Returns:
            The joined set, (B, n_1 + n_2 + ..., d).

        Raises:
            ValueError: If ``sets`` is empty or B or d differ.
        """
        import torch

        sets = list(sets)
        if not sets:
            raise ValueError("TokenSet.cat needs at least one set")
        shapes = [(s.tokens.shape[0], s.tokens.shape[2]) for s in sets]
        if any(shape != shapes[0] for shape in shapes):  # no set: in a traced model sizes are tensors
            raise ValueError(f"token sets of one batch must share (B, d), got {sorted(shapes)}")
        if len(sets) == 1:
            return sets[0]
        pos = mask = None
        if any(s.pos is not None for s in sets):
            pos = torch.cat([torch.zeros_like(s.tokens) if s.pos is None else s.pos for s in sets], dim=1)
        if any(s.mask is not None for s in sets):
            mask = torch.cat(
                [
                    s.tokens.new_zeros(s.tokens.shape[:2], dtype=torch.bool) if s.mask is None else s.mask
                    for s in sets
                ],
                dim=1,
            )
        return cls(torch.cat([s.tokens for s in sets], dim=1), pos, mask)
