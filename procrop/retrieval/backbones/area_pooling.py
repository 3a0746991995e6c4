"""Average pooling over the part of a feature map that a photo covers, to a fraction of a cell."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def area_pool(maps: Tensor, grid: Sequence[int], extent: Sequence[float]) -> Tensor:
    """Pool the photo's part of feature maps to a grid of tokens, each the mean over an equal share of the photo.

    A cell counts by the area of it that lies within the token's share, so neither a photo that ends inside a cell nor a
    share that does gets more or less of it than it covers. Cells beyond the photo are not read at all. Where the
    shares are whole cells this is average pooling.

    Args:
        maps: (B, C, h, w) float maps.
        grid: (rows, columns) of tokens.
        extent: (rows, columns) of cells that the photo covers from the top left; positive, may be fractional.

    Returns:
        (B, rows * columns, C) float32 tokens, row by row.
    """
    h, w = (int(np.ceil(e)) for e in extent)
    rows, columns = (
        torch.from_numpy(_shares(parts, e)).to(maps.device) for parts, e in zip(grid, extent, strict=True)
    )
    pooled = rows @ maps[:, :, :h, :w].float() @ columns.T
    return pooled.flatten(2).transpose(1, 2)


def _shares(parts: int, extent: float) -> np.ndarray:
    """(parts, ceil(extent)) float32: how much of each part of [0, extent] lies in each unit cell; rows sum to 1."""
    edges = np.linspace(0.0, extent, parts + 1)
    cells = np.arange(int(np.ceil(extent)))
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    overlap = np.maximum(overlap, 0.0)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
