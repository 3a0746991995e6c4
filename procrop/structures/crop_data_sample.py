"""Everything about one photo that travels between dataset, model and metrics."""

from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor


def _field(name: str, kind: type, doc: str) -> property:
    """Make a property over the data field ``_name`` whose value must be a ``kind``."""
    private = f"_{name}"

    def get(self: BaseDataElement) -> object:
        return getattr(self, private)

    def put(self: BaseDataElement, value: object) -> None:
        self.set_field(value, private, dtype=kind)

    def drop(self: BaseDataElement) -> None:
        delattr(self, private)

    return property(get, put, drop, doc)


class CropDataSample(BaseDataElement):
    """One photo: its annotated crops, its references and conditions, and what a model predicted for it.

    Fields are set by assignment, read as attributes and tested by ``"pred_instances" in sample``; a field
    that was never set raises AttributeError.

    Metainfo: ``img_path`` (str), ``img_id`` (str), ``source_id`` (str), ``ori_shape`` (h, w) of the upright
    original photo, ``img_shape`` (h, w) of the resized, unpadded one, ``scale_factor`` (w, h) = resized /
    original, ``caption`` (str) of a photo with text tokens.

    Two frames occur: training targets are in pixels of the resized photo, everything that is reported is in
    pixels of the upright original.
    """

    gt_instances: InstanceData = _field(
        "gt_instances",
        InstanceData,
        "Training targets, all annotated crops: bboxes (n, 4) float32 xyxy in pixels of the RESIZED photo, "
        "scores (n,) float32 MOS as in the file, positives (n,) bool.",
    )
    gt_crops: InstanceData = _field(
        "gt_crops",
        InstanceData,
        "The same crops for metrics, in file order: bboxes (n, 4) float64 xyxy in pixels of the ORIGINAL "
        "photo, scores (n,) MOS, positives (n,) bool.",
    )
    candidates: InstanceData = _field(
        "candidates",
        InstanceData,
        "Given boxes to be scored: bboxes (c, 4) float xyxy in pixels of the resized photo; if they are the annotated "
        "crops, rows (c,) int64, each row of gt_crops once.",
    )
    lesser_crops: InstanceData = _field(
        "lesser_crops",
        InstanceData,
        "Crops that the best annotated crop ranks above: bboxes (m, 4) float32 xyxy in pixels of the resized photo.",
    )
    references: InstanceData = _field(
        "references",
        InstanceData,
        "K retrieved photos: ids (K,) int64, scores (K,) float32 similarity, tokens (K, m, d_r) float16, mask "
        "(K,) bool True = absent; optionally crops (K, c, 4) normalised cxcywh, crop_scores (K, c), crop_mask "
        "(K, c) bool True = absent.",
    )
    candidate_scores: Tensor = _field(
        "candidate_scores",
        Tensor,
        "What a ranker gives to each row of gt_crops: (n,) float; absent for a model that only proposes crops.",
    )
    text_tokens: Tensor = _field(
        "text_tokens",
        Tensor,
        "Image-text tokens (m', d_t) float16, without padding; absent for a photo without text.",
    )
    condition: BaseDataElement = _field(
        "condition",
        BaseDataElement,
        "What the crop must satisfy: aspect_ratio (width / height), subject_bbox (4,) xyxy pixels, min_area "
        "(share of the photo).",
    )
    pred_instances: InstanceData = _field(
        "pred_instances",
        InstanceData,
        "Predicted crops: bboxes (N, 4) float xyxy in pixels of the ORIGINAL photo, clipped to it, scores "
        "(N,) in [0, 1], sorted by (-score, query).",
    )
