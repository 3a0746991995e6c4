"""References on the raster of the photo's tokens."""

import torch
from torch import Tensor

from procrop.structures import TokenSet


def on_photo_grid(query: TokenSet, context: TokenSet) -> Tensor:
    """The mean over a photo's references, cell by cell, resampled bilinearly to the photo's tokens.

    A reference covers the photo itself, not what pads it, so padding moves nothing. Masked tokens do not count; the
    order of the references does not either. Two matrix products, which unlike torch's grid sampling have a
    deterministic backward pass on GPUs.

    Args:
        query (TokenSet): The photo's tokens (B, h·w, d) on their raster (h, w); padding is masked.
        context (TokenSet): Tokens (B, K·r·c, d) on K rasters (r, c) with a mask; K may be 0.

    Returns:
        Tensor: (B, h·w, d); zero where a photo has no reference.

    Raises:
        ValueError: One of them lies on no raster.
    """
    if query.grid is None or context.grid is None:
        raise ValueError(
            "references can be resampled to the photo's grid only as image tokens: set what='image' and no "
            "num_latents in the ReferenceEncoder"
        )
    (h, w), (rows, cols) = query.grid, context.grid
    batch, n, d = context.tokens.shape
    seen = (~context.mask).to(context.tokens.dtype).view(batch, n // (rows * cols), rows, cols, 1)
    tokens = context.tokens.view(batch, n // (rows * cols), rows, cols, d)
    mean = (tokens * seen).sum(1) / seen.sum(1).clamp(min=1)  # (B, r, c, d)
    height, width = _valid_size(query, h, w)
    mean = torch.einsum("bhr,brcd->bhcd", _bilinear(height, h, rows).to(mean.dtype), mean)
    mean = torch.einsum("bwc,bhcd->bhwd", _bilinear(width, w, cols).to(mean.dtype), mean)
    return mean.flatten(1, 2)


def _valid_size(query: TokenSet, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of tokens that are not padding, (B,) each; padding is at the bottom and right."""
    if query.mask is None:
        full = query.tokens.new_ones(len(query.tokens))
        return full * h, full * w
    valid = ~query.mask.view(-1, h, w)
    return valid.any(2).sum(1), valid.any(1).sum(1)


def _bilinear(valid: Tensor, size: int, cells: int) -> Tensor:
    """Weights (B, size, cells) of interpolation from ``cells`` to the first ``valid`` (B,) of ``size`` positions."""
    steps = torch.arange(size, device=valid.device) + 0.5
    place = (steps / valid.unsqueeze(1) * cells - 0.5).clamp(0, cells - 1)
    return (1 - (place.unsqueeze(2) - torch.arange(cells, device=valid.device)).abs()).clamp(min=0)
