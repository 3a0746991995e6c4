"""What a crop keeps and what it throws away, on grids of one size."""

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from .rod_align import fill_padding, rod_align


class CropPooling(nn.Module):
    """RoI and RoD features of given crops, side by side (Zeng et al. 2019, GAIC).

    The padding of a batch never counts, so that a photo's features do not depend on its company.

    Args:
        output_size (int): Bins per side S of both grids.
        sampling_ratio (int): Samples per side of a bin.
    """

    def __init__(self, output_size: int = 9, sampling_ratio: int = 2) -> None:
        super().__init__()
        self.output_size, self.sampling_ratio = output_size, sampling_ratio

    def forward(self, feature_map: Tensor, boxes: Tensor, extent: Tensor | None = None) -> Tensor:
        """Pool.

        Args:
            feature_map (Tensor): (B, C, h, w) float32 or float64, padded right and below.
            boxes (Tensor): (B, M, 4) xyxy, normalised by the unpadded photo, finite; M at least 1.
            extent (Tensor, optional): (B, 2) width and height of each unpadded photo in cells; None = the whole map.

        Returns:
            Tensor: (B, M, 2 C, S, S): the region of interest, then the region of discard.
        """
        if extent is None:
            height, width = feature_map.shape[-2:]
            extent = boxes.new_tensor([[width, height]]).expand(boxes.size(0), -1)
        extent = extent.to(feature_map)
        cells = boxes.to(feature_map) * extent.repeat(1, 2).unsqueeze(1)
        feature_map = fill_padding(feature_map, extent)
        index = torch.arange(cells.size(0), device=cells.device, dtype=cells.dtype)
        index = index.view(-1, 1, 1).expand(-1, cells.size(1), 1)
        rois = torch.cat([index, cells], dim=2).flatten(0, 1)
        kept = roi_align(feature_map, rois, self.output_size, 1.0, self.sampling_ratio, True)
        discarded = rod_align(feature_map, cells, extent, self.output_size, self.sampling_ratio)
        return torch.cat([kept.view(discarded.shape), discarded], dim=2)
