"""From a model's numbers to the crops of a photo."""

import os
from collections.abc import Callable

import numpy as np
import torch
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmengine.structures import InstanceData

from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult, Reference
from procrop.inference.live_references import FoundReferences, LiveReferences
from procrop.inference.live_text import PhotoText
from procrop.inference.photo_embedding import PhotoEmbedding, PhotoRejected
from procrop.models.heads import BaseCropHead, CropFeatures


@torch.no_grad()
def answer_photo(
    model: torch.nn.Module,
    references: LiveReferences | None,
    embedding: PhotoEmbedding,
    text: PhotoText | None,
    request: CropRequest,
) -> CropResult:
    """Fuse an embedded photo with its contexts and choose among the crops that the head gives.

    Args:
        model: the cropper that embedded the photo.
        references: the gallery, for a model with retrieval.
        embedding: the photo.
        text: its text, if the model is to see any.
        request: what is asked for.

    Raises:
        PhotoRejected: there is no such crop.
    """
    sample, device = embedding.sample.clone(), embedding.features.feature_map.device
    found = None
    if references is not None:
        found = references.find(embedding.query, request.references)
        sample.references = found.fields.to(device)
    if text is not None:
        sample.text_tokens = torch.as_tensor(text.tokens).to(device)
        sample.set_metainfo(dict(caption=text.caption))
    features = model.fuse_photo(embedding.features, [sample])
    boxes, scores = usable_crops(model.bbox_head.predict(features, [sample])[0], embedding.size)
    if not len(boxes):
        raise PhotoRejected(embedding.path, "the model gave no usable crop (NaN or no area)", embedding.size)
    return CropResult(
        embedding.path,
        embedding.size,
        boxes[: request.top_k],
        scores[: request.top_k],
        [] if found is None else _used(references, found),
        caption=None if text is None else text.caption,
        caption_source=None if text is None else text.source,
        image=embedding.photo,
        notes=() if found is None else found.notes,
    )


def _used(references: LiveReferences, found: FoundReferences) -> list[Reference]:
    gallery = references.gallery
    return [
        Reference(int(i), str(gallery.names[i]), float(score), os.fspath(gallery.photo_path(int(i))))
        for i, score in zip(found.ids, found.scores, strict=True)
    ]


def usable_crops(found: InstanceData, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Crops with finite numbers and an area, clipped to a photo of ``size`` (w, h), best first.

    Returns:
        boxes (n, 4) float64 xyxy in pixels and scores (n,) float64; equal scores stay in the model's order.
    """
    boxes = found.bboxes.detach().cpu().numpy().astype(np.float64)
    scores = found.scores.detach().cpu().numpy().astype(np.float64)
    boxes = np.clip(boxes, 0, [*size, *size])
    good = np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    boxes, scores = boxes[good], scores[good]
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order]


def box_scorer(
    head: BaseCropHead, features: CropFeatures, size: tuple[int, int]
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that scores boxes of one photo by the head's ``score_boxes``.

    Args:
        head: the head.
        features: of that photo, a batch of one.
        size: (w, h) of the upright photo.

    Returns:
        From boxes (M, 4) xyxy in pixels of the upright photo to scores (M,) float64, larger is better, comparable
        within the photo; what they mean is up to the head.
    """
    width, height = size

    @torch.no_grad()
    def score_boxes(boxes: np.ndarray) -> np.ndarray:
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        if not len(boxes):
            return np.zeros(0)
        shares = torch.as_tensor(boxes / [width, height, width, height], dtype=torch.float32)
        normalised = bbox_xyxy_to_cxcywh(shares).to(features.feature_map.device)
        return head.score_boxes(features, normalised[None])[0].cpu().numpy().astype(np.float64)

    return score_boxes
