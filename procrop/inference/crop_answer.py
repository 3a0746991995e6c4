"""From an embedded photo to its crops."""

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh

from procrop.inference.crop_choice import choose_crops, find_references, said_of
from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult
from procrop.inference.live_references import FoundReferences, LiveReferences
from procrop.inference.live_text import PhotoText
from procrop.inference.photo_embedding import PhotoEmbedding
from procrop.inference.selection import SelectedCrops
from procrop.models.heads import BaseCropHead, CropFeatures
from procrop.structures import CropDataSample


@torch.no_grad()
def answer_photo(
    model: torch.nn.Module,
    references: LiveReferences | None,
    embedding: PhotoEmbedding,
    text: PhotoText | None,
    request: CropRequest,
    attention: bool = False,
) -> CropResult:
    """Fuse an embedded photo with its contexts and choose among the crops that the head gives.

    Args:
        model: the cropper that embedded the photo.
        references: the gallery, for a model with retrieval.
        embedding: the photo.
        text: its text, if the model is to see any.
        request: what is asked for.
        attention: whether to measure what the crops attend to.

    Raises:
        PhotoRejected: there is no such crop.
        AttentionUndefinedError: the model's attention belongs to no single reference.
    """
    found = None
    if references is not None:
        found = find_references(references, embedding, embedding.query, request)
    sample = _with_contexts(embedding, found, text)
    with _recording(model, attention) as record:
        features = model.fuse_photo(embedding.features, [sample])
        selected = _select(model.bbox_head, features, sample, embedding, request)
        attended = None if record is None else record.shares(selected.boxes, embedding.size)
    return said_of(embedding, selected, text, references, found, attended)


def _with_contexts(
    embedding: PhotoEmbedding, found: FoundReferences | None, text: PhotoText | None
) -> CropDataSample:
    """The photo's sample as a pipeline with LoadReferences and LoadTextTokens would have made it."""
    sample, device = embedding.sample.clone(), embedding.features.feature_map.device
    if found is not None:
        sample.references = found.fields.to(device)
    if text is not None:
        sample.text_tokens = torch.as_tensor(text.tokens).to(device)
        sample.set_metainfo(dict(caption=text.caption))
    return sample


def _recording(model: torch.nn.Module, wanted: bool):  # noqa: ANN202 (a context manager, of a record or None)
    if not wanted:
        return nullcontext()
    from procrop.inference.attention import record_attention

    return record_attention(model)


def _select(
    head: BaseCropHead,
    features: CropFeatures,
    sample: CropDataSample,
    embedding: PhotoEmbedding,
    request: CropRequest,
) -> SelectedCrops:
    (predicted,), score = head.predict_and_score(features, [sample])
    boxes, scores = (part.cpu().numpy().astype(np.float64) for part in (predicted.bboxes, predicted.scores))
    scorer = box_scorer(score, embedding.size, predicted.bboxes.device)
    return choose_crops(embedding, boxes, scores, scorer, request, embedding.evidence)


def box_scorer(
    score: Callable[[torch.Tensor], torch.Tensor], size: tuple[int, int], device: torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    """A function that scores boxes of one photo in pixels, made of the one of a head's ``predict_and_score``.

    Args:
        score: from boxes (1, M, 4) normalised cxcywh to scores (1, M).
        size: (w, h) of the upright photo.
        device: where ``score`` takes its boxes.

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
        normalised = bbox_xyxy_to_cxcywh(shares).to(device)
        return score(normalised[None])[0].cpu().numpy().astype(np.float64)

    return score_boxes
