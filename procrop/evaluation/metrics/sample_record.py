"""From a sample of a test run to the record that the protocols read."""

from collections.abc import Mapping

import numpy as np

from procrop.evaluation.photo_record import PhotoRecord, make_photo_record


def to_plain(value: object) -> object:
    """Turn mmengine data elements into dictionaries, whatever else it is stays."""
    return value.to_dict() if hasattr(value, "to_dict") else value


def to_numpy(value: object) -> np.ndarray:
    """Turn a tensor on any device, an array or a list into a numpy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() and value.element_size() < 4 else value
    return np.asarray(value)


def read_sample(sample: Mapping, needs_predictions: bool = True) -> PhotoRecord:
    """Read the dictionary form of a CropDataSample.

    Args:
        sample: Needs ``ori_shape`` (h, w), ``gt_crops`` (bboxes (n, 4), scores (n,), optionally positives (n,)) and
            ``pred_instances`` (bboxes (P, 4), scores (P,)), both in pixels of the original photo; may have
            ``candidate_scores`` (n,), a ranker's score of every row of ``gt_crops``, and ``source_id``.
        needs_predictions: Whether ``pred_instances`` must be there.

    Returns:
        The record, with unscored (-2), empty and non-finite annotated crops dropped.

    Raises:
        ValueError: If something is missing or lengths differ; the message names the photo.
    """
    img_id = str(sample.get("img_id", "?"))
    crops = to_plain(sample.get("gt_crops"))
    if crops is None or "bboxes" not in crops:
        raise ValueError(
            f"photo {img_id!r} carries no gt_crops: end the test pipeline with LoadCropAnnotations and PackCropInputs"
        )
    if sample.get("ori_shape") is None:
        raise ValueError(
            f"photo {img_id!r} carries no ori_shape: PackCropInputs must keep it in the metainfo"
        )
    found = to_plain(sample.get("pred_instances"))
    if found is None and needs_predictions:
        raise ValueError(
            f"photo {img_id!r} carries no pred_instances: the model must predict before crops are scored"
        )
    found = {} if found is None else found
    height, width = sample["ori_shape"][:2]
    optional = {key: crops.get(key) for key in ("scores", "positives")}
    optional["candidate_scores"] = sample.get("candidate_scores")
    return make_photo_record(
        img_id,
        (width, height),
        to_numpy(crops["bboxes"]),
        pred=to_numpy(found.get("bboxes", ())),
        pred_scores=to_numpy(found.get("scores", ())),
        source_id=str(sample.get("source_id") or ""),
        **{key: None if value is None else to_numpy(value) for key, value in optional.items()},
    )
