"""A random part of a photo's annotated crops for one training step."""

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS

_KEYS = ("gt_bboxes", "gt_ori_bboxes", "gt_scores", "gt_positives")


@TRANSFORMS.register_module()
class SampleCrops(BaseTransform):
    """Keep a random part of the annotated crops, without replacement and in file order (GAIC trains on 64 a step).

    The draw comes from ``numpy.random``, which a CropDataset seeds by (seed, epoch, photo id).

    Modified keys, those that are there: ``gt_bboxes`` (n, 4), ``gt_ori_bboxes`` (n, 4), ``gt_scores`` (n,),
    ``gt_positives`` (n,). A photo with no more crops than ``num`` keeps them all.

    Args:
        num: crops to keep.

    Raises:
        ValueError: ``num`` is below 1.
    """

    def __init__(self, num: int = 64) -> None:
        if num < 1:
            raise ValueError(f"SampleCrops must keep at least 1 crop, got num={num}")
        self.num = num

    def transform(self, results: dict) -> dict:
        """Drop the crops that were not drawn."""
        if results.get("gt_bboxes") is None:
            return results
        kept = np.sort(np.random.permutation(len(results["gt_bboxes"]))[: self.num])
        for key in _KEYS:
            if key in results:
                results[key] = np.asarray(results[key])[kept]
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num={self.num})"
