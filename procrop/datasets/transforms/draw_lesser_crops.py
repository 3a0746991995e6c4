"""Crops that a photo's best crop is better than."""

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS
from procrop.structures import box_iou


@TRANSFORMS.register_module()
class DrawLesserCrops(BaseTransform):
    """Draw random windows within a sample's best crop, and take its initial crops, for SubWindowRankingLoss.

    A professional photo is better than its own random sub-windows (Chen et al. 2017). Comes behind the last step that
    changes the geometry.

    Required keys: ``gt_bboxes`` (n, 4) xyxy, ``gt_scores`` (n,); optional ``initial_crops`` (m, 4) in pixels before
    resizing, ``scale_factor``.

    Added keys: ``lesser_crops`` (num + m', 4) float32 xyxy in pixels of the resized photo; none of an IoU above
    ``max_iou`` with the best crop.

    Args:
        num: windows to draw.
        scale: least and largest share of the best crop's width, and of its height, that a window has.
        initial_crops: whether the sample's initial crops join: windows around the best crop.
        max_iou: a window more alike to the best crop says nothing and is left out.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self,
        num: int = 8,
        scale: tuple[float, float] = (0.4, 0.9),
        initial_crops: bool = True,
        max_iou: float = 0.85,
    ) -> None:
        if num < 0 or not 0 < scale[0] <= scale[1] <= 1 or not 0 <= max_iou < 1:
            raise ValueError(
                f"DrawLesserCrops needs num >= 0, 0 < scale <= 1 and max_iou in [0, 1), got {num}, {scale}, {max_iou}"
            )
        self.num, self.scale = num, tuple(scale)
        self.initial_crops, self.max_iou = initial_crops, max_iou

    def transform(self, results: dict) -> dict:
        """Draw for one sample."""
        shares = np.random.uniform(*self.scale, (self.num, 2))
        places = np.random.random((self.num, 2))
        if results.get("gt_bboxes") is None or not len(results["gt_bboxes"]):
            return results
        best = np.asarray(results["gt_bboxes"], np.float64)[int(np.argmax(results["gt_scores"]))]
        sides = best[2:] - best[:2]
        low = best[:2] + places * (1 - shares) * sides
        boxes = np.concatenate([low, low + shares * sides], axis=1)
        if self.initial_crops and results.get("initial_crops") is not None:
            factor = np.tile(np.asarray(results.get("scale_factor", (1.0, 1.0)), np.float64), 2)
            boxes = np.concatenate([boxes, np.asarray(results["initial_crops"], np.float64) * factor])
        differs = box_iou(boxes, best[None])[:, 0] <= self.max_iou
        results["lesser_crops"] = boxes[differs].astype(np.float32)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num={self.num}, scale={self.scale}, initial_crops={self.initial_crops}, "
            f"max_iou={self.max_iou})"
        )
