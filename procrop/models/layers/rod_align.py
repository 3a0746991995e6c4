"""Features of what a crop throws away."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import roi_align


def rod_align(
    feature_map: Tensor, boxes: Tensor, extent: Tensor, output_size: int, sampling_ratio: int = 2
) -> Tensor:
    """Align the region of discard (RoD) of every crop: the whole photo, zero inside the crop (Zeng et al. 2019, GAIC).

    The photo is laid out on a grid of ``output_size`` x ``output_size`` bins, the same for all of its crops. Each bin
    is the mean of ``sampling_ratio`` x ``sampling_ratio`` bilinear samples, of which those inside the crop or on its
    edge count as zero. The photo is sampled once, whatever the number of crops.

    Args:
        feature_map (Tensor): (B, C, h, w) float32 or float64; where photos are padded, from :func:`fill_padding`, as
            samples at a photo's edge are interpolated with the cell behind it.
        boxes (Tensor): (B, M, 4) xyxy in cells of the feature map: cell k reaches from k to k + 1.
        extent (Tensor): (B, 2) width and height of each unpadded photo in cells.
        output_size (int): Bins per side S.
        sampling_ratio (int): Samples per side of a bin.

    Returns:
        Tensor: (B, M, C, S, S). It has a gradient with respect to the feature map; boxes have none.
    """
    samples = output_size * sampling_ratio
    whole = torch.cat([torch.zeros_like(extent), extent], dim=1).to(feature_map)
    index = torch.arange(whole.size(0), device=whole.device, dtype=whole.dtype).unsqueeze(1)
    photo = roi_align(feature_map, torch.cat([index, whole], dim=1), samples, 1.0, 1, True)
    outside = ~_inside(boxes.to(whole), extent.to(whole), samples)
    masked = photo.unsqueeze(1) * outside.unsqueeze(2)  # (B, M, C, samples, samples)
    # a view, not unflatten: a trace would keep the number of boxes
    return F.avg_pool2d(masked.flatten(0, 1), sampling_ratio).view(
        *masked.shape[:3], output_size, output_size
    )


def fill_padding(feature_map: Tensor, extent: Tensor) -> Tensor:
    """Repeat the last cells of each photo over the padding right of and below it, as if its own map ended there.

    Args:
        feature_map (Tensor): (B, C, h, w).
        extent (Tensor): (B, 2) width and height of each unpadded photo in cells.

    Returns:
        Tensor: (B, C, h, w), free of what the padding held.
    """
    height, width = feature_map.shape[-2:]
    if bool((extent == extent.new_tensor([width, height])).all()):
        return feature_map
    last = (extent - 1e-3).ceil().long().clamp(min=1) - 1  # a hair's breadth is no further cell
    columns = torch.arange(width, device=extent.device).minimum(last[:, :1])[:, None, None, :]
    rows = torch.arange(height, device=extent.device).minimum(last[:, 1:])[:, None, :, None]
    filled = feature_map.gather(2, rows.expand(-1, feature_map.size(1), -1, width))
    return filled.gather(3, columns.expand(-1, feature_map.size(1), height, -1))


def _inside(boxes: Tensor, extent: Tensor, samples: int) -> Tensor:
    """Which samples of the photo lie in each box: (B, M, samples, samples) bool, rows first."""
    steps = (torch.arange(samples, device=extent.device, dtype=extent.dtype) + 0.5) / samples
    x, y = (extent[:, axis, None, None] * steps for axis in (0, 1))  # (B, 1, samples)
    columns = (x >= boxes[..., 0:1]) & (x <= boxes[..., 2:3])
    rows = (y >= boxes[..., 1:2]) & (y <= boxes[..., 3:4])
    return rows.unsqueeze(-1) & columns.unsqueeze(-2)
