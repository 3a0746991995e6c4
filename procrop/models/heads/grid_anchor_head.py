"""The anchor-based crop head: given crops are scored."""

from collections.abc import Sequence

import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_xyxy_to_cxcywh
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from procrop.registry import MODELS
from procrop.structures import CropDataSample, gaic_grid_anchors

from ..layers import CropMemoryReader, CropPooling
from .base_crop_head import BaseCropHead, CropFeatures, to_pixels

_WHOLE_PHOTO = (0.5, 0.5, 1.0, 1.0)


@MODELS.register_module()
class GridAnchorHead(BaseCropHead):
    r"""A score for every given crop from its RoI and RoD features (Zeng et al. 2019, GAIC).

    .. code-block:: text

        feature map (B, d, h, w) ─► 1×1 (c) ─► RoI, RoD of each crop (2 c, S, S) ─► FC ─► v ──────► FC, FC ─► MOS
                                                                                     │  ▲ +
                                            memory (B, n, d) ─► cross-attention ◄────┘──┘   with ``memory_attention``

    It regresses the mean opinion score; it proposes nothing, so predictions are the crops of a fixed grid, or those
    that a sample carries as ``candidates``. Retrieved references reach it through the memory alone: without
    ``memory_attention`` this is the plain baseline. Crops are scored one by one, whatever others are asked about.

    Args:
        embed_dims (int): Width d of feature map and memory.
        reduced_channels (int): c.
        pool_size (int): Bins per side S of RoI and RoD.
        sampling_ratio (int): Samples per side of a bin.
        hidden_channels (int): Width of the fully connected layers.
        dropout (float): Dropout after the first two of them.
        memory_attention (dict, optional): Arguments of :class:`CropMemoryReader` (``num_heads``, ``dropout``); None =
            the memory is not read.
        mos_mean, mos_std (float): The regression target is (MOS - mean) / std.
        loss_mos (dict, optional): Regression loss; SmoothL1 by default.
        grid_rule (str): Which boxes of the GAIC grid are predicted on a photo without candidates; see
            :func:`procrop.structures.gaic_grid_anchors`. A photo too long for any of them gets all 90.

    Raises:
        ValueError: ``mos_std`` is not above 0.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        reduced_channels: int = 8,
        pool_size: int = 9,
        sampling_ratio: int = 2,
        hidden_channels: int = 512,
        dropout: float = 0.0,
        memory_attention: dict | None = None,
        mos_mean: float = 2.95,
        mos_std: float = 0.8,
        loss_mos: dict | None = None,
        grid_rule: str = "generator",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not mos_std > 0:
            raise ValueError(f"GridAnchorHead: mos_std must be above 0, got {mos_std}")
        gaic_grid_anchors(1, 1, grid_rule)  # an unknown rule is told now
        self.embed_dims, self.grid_rule = embed_dims, grid_rule
        self.mos_mean, self.mos_std = mos_mean, mos_std
        self.reduce = nn.Conv2d(embed_dims, reduced_channels, 1)
        self.pooling = CropPooling(pool_size, sampling_ratio)
        self.embed = _block(2 * reduced_channels * pool_size**2, hidden_channels, dropout)
        self.memory_reader = None
        if memory_attention is not None:
            self.memory_reader = CropMemoryReader(hidden_channels, embed_dims, **memory_attention)
        self.score = nn.Sequential(
            _block(hidden_channels, hidden_channels, dropout), nn.Linear(hidden_channels, 1)
        )
        self.loss_mos = MODELS.build(loss_mos or dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0))

    @property
    def reads_memory(self) -> bool:
        """Whether references can reach this head."""
        return self.memory_reader is not None

    def forward(self, features: CropFeatures, boxes: Tensor | None = None) -> Tensor:
        """Score crops.

        Args:
            features (CropFeatures): Feature map (B, d, h, w), memory, and the extent of the photos in the map.
            boxes (Tensor, optional): (B, M, 4) cxcywh, normalised by the unpadded photo, finite, M at least 1; None =
                all 90 of the GAIC grid.

        Returns:
            Tensor: (B, M) float32, normalised as the regression target is.
        """
        feature_map = self.reduce(features.feature_map).float()
        if boxes is None:
            grid = bbox_xyxy_to_cxcywh(feature_map.new_tensor(gaic_grid_anchors(1, 1, "all")))
            boxes = grid.expand(len(feature_map), -1, -1)
        pooled = self.pooling(feature_map, bbox_cxcywh_to_xyxy(boxes).clamp(0, 1), features.extent)
        vectors = self.embed(pooled.flatten(2))
        if self.memory_reader is not None:
            vectors = vectors + self.memory_reader(vectors, boxes, features.memory)
        return self.score(vectors).squeeze(-1).float()

    def loss(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> dict[str, Tensor]:
        """``loss_mos``: mean over all annotated crops of all photos on all processes.

        Reads ``gt_instances`` of each sample: ``bboxes`` (n, 4) xyxy in pixels of the resized photo (``img_shape``) and
        ``scores`` (n,) MOS.
        """
        crops = [_normalised(s.gt_instances.bboxes, s.img_shape) for s in data_samples]
        predicted = self(features, _stack(crops))
        given = [predicted[i, : len(c)] for i, c in enumerate(crops)]  # without what _stack filled in
        mos = torch.cat([s.gt_instances.scores for s in data_samples]).to(predicted)
        target = (mos - self.mos_mean) / self.mos_std
        avg_factor = reduce_mean(predicted.new_tensor([float(len(mos))])).clamp(min=1).item()
        return dict(loss_mos=self.loss_mos(torch.cat(given), target, avg_factor=avg_factor))

    @torch.no_grad()
    def predict(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> list[InstanceData]:
        """Score the candidates of each photo, or else the boxes of its GAIC grid.

        Returns:
            list: Of each photo, best first and ties by position among the given boxes: ``bboxes`` (n, 4) xyxy in pixels
            of the upright original, clipped to it, at least one pixel wide and high; ``mos`` (n,), the score itself;
            ``scores`` (n,), the same as (MOS - 1) / 4 clipped to [0, 1]; ``rows`` (n,) if the candidates have it. All
            are finite: a box without a finite score comes last and scores 0.
        """
        given = [self._boxes_of(sample) for sample in data_samples]
        scored = self.score_boxes(features, _stack(given))
        results = []
        for i, sample in enumerate(data_samples):
            mos, order = scored[i, : len(given[i])].sort(descending=True, stable=True)
            boxes = bbox_cxcywh_to_xyxy(_usable(given[i])[order])
            result = InstanceData(bboxes=to_pixels(boxes, sample.ori_shape), mos=mos)
            result.scores = ((mos - 1) / 4).clamp(0, 1)
            if "candidates" in sample and "rows" in sample.candidates:
                result.rows = sample.candidates.rows[order]
            results.append(result)
        return results

    def score_boxes(self, features: CropFeatures, boxes: Tensor) -> Tensor:
        """Score given boxes by their predicted mean opinion score, which has gradients.

        Args:
            features (CropFeatures): As for :meth:`forward`.
            boxes (Tensor): (B, M, 4) normalised cxcywh of the unpadded photo, M at least 1.

        Returns:
            Tensor: (B, M) float32, finite, on the annotators' scale but not clipped to it. A box that is not finite, or
            without a finite score, is below all others and not above 0.
        """
        finite = boxes.isfinite().all(-1)
        mos = self(features, _usable(boxes)) * self.mos_std + self.mos_mean
        finite = finite & mos.isfinite()
        lowest = torch.where(finite, mos, torch.ones_like(mos)).amin(dim=-1, keepdim=True).clamp(max=1) - 1
        return torch.where(finite, mos, lowest)

    def _boxes_of(self, sample: CropDataSample) -> Tensor:
        """Boxes (n, 4) to be scored, normalised cxcywh."""
        if "candidates" in sample:
            return _normalised(sample.candidates.bboxes, sample.img_shape)
        height, width = sample.ori_shape[:2]
        anchors = gaic_grid_anchors(width, height, self.grid_rule)
        if not len(anchors):
            anchors = gaic_grid_anchors(width, height, "all")
        return _normalised(torch.as_tensor(anchors, device=self.reduce.weight.device), (height, width))


def _block(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_channels, out_channels), nn.ReLU(inplace=True), nn.Dropout(dropout))


def _normalised(boxes: Tensor, shape: tuple[int, int]) -> Tensor:
    """Boxes (n, 4) xyxy in pixels of a photo of (height, width) as float32 cxcywh in its units."""
    height, width = shape[:2]
    return bbox_xyxy_to_cxcywh(boxes / boxes.new_tensor([width, height, width, height])).float()


def _usable(boxes: Tensor) -> Tensor:
    """Boxes (..., 4) cxcywh with the whole photo in place of any that is not finite."""
    return torch.where(boxes.isfinite().all(-1, keepdim=True), boxes, boxes.new_tensor(_WHOLE_PHOTO))


def _stack(boxes: list[Tensor]) -> Tensor:
    """Boxes (n_i, 4) of B photos as (B, M, 4) with M at least 1; the whole photo fills the gaps."""
    longest = max(1, *(len(b) for b in boxes))
    filler = boxes[0].new_tensor(_WHOLE_PHOTO)
    return torch.stack([torch.cat([b, filler.expand(longest - len(b), -1)]) for b in boxes])
