"""A professional photo ranks above its own windows: a signal that needs no annotated crop."""

from collections.abc import Sequence

import torch
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from procrop.registry import MODELS
from procrop.structures import CropDataSample

from ..heads import BaseCropHead, CropFeatures

_TINY = 1e-6  # votes below are nothing


@MODELS.register_module()
class SubWindowRankingLoss(nn.Module):
    r"""Pairwise hinge loss of Chen et al. 2017 (view finding network), through the head's ``score_boxes``.

    .. code-block:: text

        mean over all pairs of max(0, margin + score(lesser crop) - score(best crop))

    The best crop is a sample's annotated crop of the highest score, in CAD the known area; the lesser ones are what
    DrawLesserCrops has drawn. Scores are those of the head: mean opinion scores of a GridAnchorHead, or votes of a
    CropDETRHead, whose gradients reach scores and boxes of its predictions. Votes are not negative and have no scale of
    their own, so that all scores at 0 would be a way out; take ``relative`` for them.

    Args:
        margin (float): By how much the best crop shall be ahead (g in Chen et al., who take 1).
        relative (bool): Compare (best - lesser) / (best + lesser), in [-1, 1], with the margin, not the difference.
        loss_weight (float): Factor.

    Raises:
        ValueError: The margin is not above 0, or can never be reached.
    """

    def __init__(self, margin: float = 0.2, relative: bool = False, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not margin > 0 or (relative and margin > 1):
            raise ValueError(
                f"SubWindowRankingLoss: margin must be above 0 (relative: at most 1), got {margin}"
            )
        self.margin, self.relative, self.loss_weight = margin, relative, loss_weight

    def forward(
        self, head: BaseCropHead, features: CropFeatures, data_samples: Sequence[CropDataSample]
    ) -> Tensor:
        """The loss of a batch, a scalar: mean over the pairs of all processes.

        Args:
            head (BaseCropHead): What scores.
            features (CropFeatures): Of the batch.
            data_samples (Sequence[CropDataSample]): ``gt_instances`` and ``lesser_crops`` in pixels of the resized
                photo; a sample without lesser crops takes no part.
        """
        rows = [_with_best(sample).to(features.feature_map.device) for sample in data_samples]
        pairs = sum(max(0, len(row) - 1) for row in rows)
        count = reduce_mean(features.feature_map.new_tensor([float(pairs)]).float()).clamp(min=1).item()
        if not pairs:
            return features.feature_map.sum() * 0
        longest = max(len(row) for row in rows)
        boxes = torch.stack([_padded(row, longest) for row in rows])
        scores = head.score_boxes(features, boxes)
        ahead = scores[:, :1] - scores[:, 1:]
        if self.relative:
            ahead = ahead / (scores[:, :1] + scores[:, 1:]).clamp(min=_TINY)
        hinge = (self.margin - ahead).clamp(min=0)
        total = sum(hinge[i, : len(row) - 1].sum() for i, row in enumerate(rows) if len(row) > 1)
        return self.loss_weight * total / count


def _with_best(sample: CropDataSample) -> Tensor:
    """(1 + m, 4) normalised cxcywh: the best crop, then the lesser ones; (0, 4) where there is no pair."""
    if "lesser_crops" not in sample or not len(sample.lesser_crops.bboxes):
        return torch.zeros(0, 4)
    if "gt_instances" not in sample or not len(sample.gt_instances.bboxes):
        return torch.zeros(0, 4)
    height, width = sample.img_shape[:2]
    given = sample.gt_instances
    best = given.bboxes[int(given.scores.argmax())][None]
    boxes = torch.cat([best, sample.lesser_crops.bboxes.to(best)])
    return bbox_xyxy_to_cxcywh(boxes / boxes.new_tensor([width, height, width, height])).float()


def _padded(boxes: Tensor, count: int) -> Tensor:
    """Fill up with the whole photo."""
    whole = boxes.new_tensor([[0.5, 0.5, 1.0, 1.0]])
    return torch.cat([boxes, whole.expand(count - len(boxes), -1)])
