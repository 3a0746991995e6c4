"""Where a photo ends and its padding begins, on the feature map."""

import torch
from torch import Tensor


def padding_mask(sizes: Tensor, padded: tuple[int, int], feature_map: Tensor) -> Tensor:
    """Which cells of a feature map are padding: those whose nearest pixel is.

    Tensor arithmetic throughout, so that a traced model holds for other sizes too.

    Args:
        sizes (Tensor): Width and height of each unpadded photo in pixels, (B, 2).
        padded (tuple[int, int]): Height and width of the padded photos in pixels.
        feature_map (Tensor): (B, d, h, w).

    Returns:
        Tensor: (B, h, w) bool, True = padding.
    """
    rows = _nearest_pixels(feature_map.shape[-2], padded[0], sizes) >= sizes[:, 1:]
    columns = _nearest_pixels(feature_map.shape[-1], padded[1], sizes) >= sizes[:, :1]
    return rows.unsqueeze(2) | columns.unsqueeze(1)


def extent_in_cells(sizes: Tensor, padded: tuple[int, int], feature_map: Tensor) -> Tensor:
    """Width and height of each unpadded photo in cells of the feature map, (B, 2) float32; arguments as above."""
    one = torch.ones((), device=sizes.device)
    width = (sizes[:, 0] * feature_map.shape[-1]).float() / (one * padded[1])
    height = (sizes[:, 1] * feature_map.shape[-2]).float() / (one * padded[0])
    return torch.stack([width, height], dim=1)


def _nearest_pixels(cells: int, pixels: int, like: Tensor) -> Tensor:
    """The pixel (cells,) that torch's nearest interpolation takes for each cell of an axis."""
    # tensors of the device on both sides: CUDA divides by a number by multiplying with its reciprocal, and 1312 / 41
    # is then less than 32
    one = torch.ones((), device=like.device)
    step = (one * pixels) / (one * cells)
    return (torch.arange(cells, device=like.device) * step).floor()
