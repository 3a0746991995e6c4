"""Packing of a sample into what a model takes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import InstanceData

from procrop.registry import TRANSFORMS
from procrop.structures import CropDataSample

_META_KEYS = ("img_path", "img_id", "source_id", "ori_shape", "img_shape", "scale_factor", "caption")


@TRANSFORMS.register_module()
class PackCropInputs(BaseTransform):
    """Pack a sample into ``dict(inputs=(3, H, W) uint8 RGB tensor, data_samples=CropDataSample)``.

    ``gt_instances`` (pixels of the resized photo) and ``gt_crops`` (pixels of the original photo) are made when the
    sample is annotated, ``references``, ``text_tokens`` and ``lesser_crops`` when it has any, ``candidates`` when asked
    for; see CropDataSample for their fields.

    Required keys: ``img``; optional ``gt_bboxes``, ``gt_ori_bboxes``, ``gt_scores``, ``gt_positives``,
    ``lesser_crops``, ``reference_*``, ``text_tokens`` and ``caption`` as LoadCropAnnotations, LoadReferences and
    LoadTextTokens make them.

    Args:
        meta_keys: keys that go into the data sample's metainfo, where present.
        candidates: "annotated" gives all annotated crops, in file order, to a model that scores boxes, as GridAccuracy
            needs it; None leaves the choice of boxes to the model. A photo without annotation has no candidates.
    """

    def __init__(self, meta_keys: Sequence[str] = _META_KEYS, candidates: str | None = None) -> None:
        if candidates not in (None, "annotated"):
            raise ValueError(f"candidates must be None or 'annotated', got {candidates!r}")
        self.meta_keys = tuple(meta_keys)
        self.candidates = candidates

    def transform(self, results: dict) -> dict:
        """Pack one sample."""
        sample = CropDataSample(metainfo={key: results[key] for key in self.meta_keys if key in results})
        if results.get("gt_bboxes") is not None:
            labels = dict(
                scores=torch.as_tensor(results["gt_scores"], dtype=torch.float32),
                positives=torch.as_tensor(results["gt_positives"], dtype=torch.bool),
            )
            bboxes = torch.as_tensor(np.asarray(results["gt_bboxes"]), dtype=torch.float32)
            sample.gt_instances = InstanceData(bboxes=bboxes.reshape(-1, 4), **labels)
            if "gt_ori_bboxes" in results:
                bboxes = torch.as_tensor(np.asarray(results["gt_ori_bboxes"]), dtype=torch.float64)
                sample.gt_crops = InstanceData(bboxes=bboxes.reshape(-1, 4), **labels)
            if self.candidates == "annotated":
                given = sample.gt_instances.bboxes
                sample.candidates = InstanceData(bboxes=given.clone(), rows=torch.arange(len(given)))
        if results.get("lesser_crops") is not None:
            bboxes = torch.as_tensor(results["lesser_crops"], dtype=torch.float32)
            sample.lesser_crops = InstanceData(bboxes=bboxes.reshape(-1, 4))
        references = pack_references(results)
        if references is not None:
            sample.references = references
        if results.get("text_tokens") is not None:
            sample.text_tokens = torch.as_tensor(results["text_tokens"])
        inputs = torch.from_numpy(np.ascontiguousarray(results["img"].transpose(2, 0, 1)))
        return dict(inputs=inputs, data_samples=sample)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(meta_keys={self.meta_keys}, candidates={self.candidates!r})"


def pack_references(results: Mapping[str, Any]) -> InstanceData | None:
    """A sample's ``reference_*`` as CropDataSample's ``references``; None when it has none."""
    fields = {
        key.removeprefix("reference_"): torch.as_tensor(value)
        for key, value in results.items()
        if key.startswith("reference_")
    }
    return InstanceData(**fields) if fields else None
