"""Fitting of a sample's annotated crops to its photo."""

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS
from procrop.structures import clip_boxes

from ..base import AnnotationError


@TRANSFORMS.register_module()
class LoadCropAnnotations(BaseTransform):
    """Clip the annotated crops to the real photo, and keep a copy that later steps do not resize.

    Required keys: ``ori_shape`` (h, w); optional ``gt_bboxes`` (n, 4) xyxy in pixels of the upright original photo
    (a sample without is passed on as it is); ``crop_tolerance`` (pixels).

    Modified keys: ``gt_bboxes`` (n, 4) float32, resized along by later steps.

    Added keys: ``gt_ori_bboxes`` (n, 4) float64, stays in pixels of the original photo.

    Args:
        tolerance: pixels by which a crop may leave the photo and is clipped; beyond, the annotation belongs to
            another photo or has its columns in another order. A sample's ``crop_tolerance`` takes its place.
    """

    def __init__(self, tolerance: float = 2.0) -> None:
        self.tolerance = tolerance

    def transform(self, results: dict) -> dict:
        """Fit the crops of a sample to its photo.

        Raises:
            AnnotationError: a crop lies outside the photo.
        """
        if results.get("gt_bboxes") is None:
            return results
        height, width = results["ori_shape"]
        tolerance = results.get("crop_tolerance", self.tolerance)
        bboxes = np.asarray(results["gt_bboxes"], dtype=np.float64).reshape(-1, 4)
        clipped = clip_boxes(bboxes, (width, height))
        outside = np.abs(bboxes - clipped).max(axis=1, initial=0) > tolerance
        empty = (clipped[:, 2:] <= clipped[:, :2]).any(axis=1)
        if (outside | empty).any():
            box = [float(value) for value in bboxes[np.flatnonzero(outside | empty)[0]]]
            swapped = bboxes[:, [1, 0, 3, 2]]
            order = np.all(np.abs(swapped - clip_boxes(swapped, (width, height))) <= tolerance)
            hint = "; x and y look exchanged: check the column order (GAICD: y1 x1 y2 x2)" if order else ""
            raise AnnotationError(
                f"{results.get('img_path')}: {int((outside | empty).sum())} of {len(bboxes)} annotated crops leave the "
                f"photo of {width} x {height} pixels, such as x1 y1 x2 y2 = {box}{hint}. "
                "Restore the photo or the annotation that belongs to it."
            )
        results["gt_bboxes"] = clipped.astype(np.float32)
        results["gt_ori_bboxes"] = clipped
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(tolerance={self.tolerance})"
