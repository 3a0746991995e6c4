"""One photo of a test run as plain numpy arrays, checked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from procrop.evaluation.functional.ranking import rank_order, valid_crops


@dataclass
class PhotoRecord:
    """What the formulas need of one photo; all boxes ``xyxy`` in pixels of the original upright photo.

    Attributes:
        img_id: Name of the photo.
        size: (width, height) in pixels.
        gt: (M, 4) float64 valid annotated crops in file order.
        mos: (M,) float64 their scores; zeros when the annotation has none.
        positives: (M,) bool, or None when the annotation does not say.
        valid: (n,) bool, which rows of the annotation these M are.
        pred: (P, 4) float64 predicted crops, best score first; boxes that are not finite are left out.
    """

    img_id: str
    size: tuple[float, float]
    gt: np.ndarray
    mos: np.ndarray
    positives: np.ndarray | None
    valid: np.ndarray
    pred: np.ndarray


def to_plain(value: object) -> object:
    """Turn mmengine data elements into dictionaries, whatever else it is stays."""
    return value.to_dict() if hasattr(value, "to_dict") else value


def to_numpy(value: object) -> np.ndarray:
    """Turn a tensor on any device, an array or a list into a numpy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value  # bfloat16 has no numpy type
    return np.asarray(value)


def _boxes(field: Mapping, name: str, img_id: str) -> np.ndarray:
    """Read ``bboxes`` (n, 4) and see that ``scores``, if there, are (n,)."""
    boxes = to_numpy(field["bboxes"]).astype(np.float64).reshape(-1, 4)
    if "scores" in field and to_numpy(field["scores"]).shape != (len(boxes),):
        shape = to_numpy(field["scores"]).shape
        raise ValueError(f"photo {img_id!r}: {name} holds {len(boxes)} boxes and scores of shape {shape}")
    return boxes


def _ranked_predictions(sample: Mapping, img_id: str) -> np.ndarray:
    field = to_plain(sample.get("pred_instances"))
    if field is None:
        raise ValueError(
            f"photo {img_id!r} carries no pred_instances: the model must predict before crops are scored"
        )
    boxes = _boxes(field, "pred_instances", img_id)
    boxes = boxes[rank_order(to_numpy(field["scores"]))]
    return boxes[np.isfinite(boxes).all(axis=1)]


def read_photo_record(sample: Mapping, needs_predictions: bool = True) -> PhotoRecord:
    """Read the dictionary form of a CropDataSample.

    Args:
        sample: Needs ``ori_shape`` (h, w), ``gt_crops`` (bboxes (n, 4), scores (n,), optionally positives (n,)) and
            ``pred_instances`` (bboxes (P, 4), scores (P,)), both in pixels of the original photo.
        needs_predictions: Whether ``pred_instances`` must be there.

    Returns:
        The record, with unscored (-2), empty and non-finite annotated crops dropped.

    Raises:
        ValueError: If something is missing or lengths differ; the message names the photo.
    """
    img_id = str(sample.get("img_id", "?"))
    gt_field = to_plain(sample.get("gt_crops"))
    if gt_field is None or "bboxes" not in gt_field:
        raise ValueError(
            f"photo {img_id!r} carries no gt_crops: end the test pipeline with LoadCropAnnotations and PackCropInputs"
        )
    if sample.get("ori_shape") is None:
        raise ValueError(
            f"photo {img_id!r} carries no ori_shape: PackCropInputs must keep it in the metainfo"
        )
    height, width = sample["ori_shape"][:2]
    gt = _boxes(gt_field, "gt_crops", img_id)
    mos = to_numpy(gt_field["scores"]).astype(np.float64) if "scores" in gt_field else np.zeros(len(gt))
    valid = valid_crops(gt, mos)
    positives = to_numpy(gt_field["positives"]).astype(bool)[valid] if "positives" in gt_field else None
    pred = _ranked_predictions(sample, img_id) if needs_predictions else np.zeros((0, 4))
    return PhotoRecord(img_id, (float(width), float(height)), gt[valid], mos[valid], positives, valid, pred)
