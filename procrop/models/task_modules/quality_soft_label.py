"""Soft classification labels for unmatched queries, guided by annotated quality."""

import torch
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from procrop.registry import TASK_UTILS


@TASK_UTILS.register_module()
class QualitySoftLabel:
    """Quality guidance of Jia et al. 2022 for densely annotated data.

    An unmatched query whose box lies on an annotated crop (IoU ≥ ``iou_thr``) gets a label that grows with
    that crop's mean opinion score q: t = clamp(bound · (q − low) / (high − low), 0, bound); any other
    unmatched query gets 0.

    Args:
        iou_thr (float): Least IoU with the nearest annotated crop.
        low (float): MOS at and below which the label is 0.
        high (float): MOS at and above which the label is ``bound``.
        bound (float): Largest soft label, in [0, 1]; 0 switches quality guidance off.
    """

    def __init__(
        self, iou_thr: float = 0.85, low: float = 2.0, high: float = 3.5, bound: float = 0.5
    ) -> None:
        if not high > low or not 0 <= bound <= 1:
            raise ValueError(
                f"QualitySoftLabel needs low < high and 0 <= bound <= 1, got {low}, {high}, {bound}"
            )
        self.iou_thr, self.low, self.high, self.bound = iou_thr, low, high, bound

    def __call__(self, boxes: Tensor, crops: Tensor, scores: Tensor) -> Tensor:
        """Labels of the queries of one photo.

        Args:
            boxes (Tensor): Predicted boxes, (N, 4) xyxy, any unit.
            crops (Tensor): All annotated crops, (n, 4) xyxy in the same unit; n may be 0.
            scores (Tensor): Their mean opinion scores, (n,).

        Returns:
            Tensor: (N,) float in [0, bound].
        """
        if self.bound == 0 or len(crops) == 0:
            return boxes.new_zeros(len(boxes))
        iou, nearest = bbox_overlaps(boxes, crops).max(dim=1)
        label = self.bound * (scores[nearest] - self.low) / (self.high - self.low)
        return torch.where(iou >= self.iou_thr, label.clamp(0, self.bound), torch.zeros_like(label))
