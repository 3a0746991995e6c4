"""From predicted boxes to what is said about a photo; nothing here imports torch."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult, Reference
from procrop.inference.seen_photo import PhotoRejected, SeenPhoto
from procrop.inference.selection import ImpossibleCropError, SelectedCrops, select_crops

if TYPE_CHECKING:
    from procrop.inference.live_references import FoundReferences, LiveReferences, ReferenceQuery
    from procrop.inference.live_text import PhotoText
    from procrop.inference.reference_attention import ReferenceAttention


def find_references(
    references: "LiveReferences", photo: SeenPhoto, query: "ReferenceQuery", request: CropRequest
) -> "FoundReferences":
    """The references that a request asks for; ``query`` may have been made for a gallery of another encoder."""
    if query.encoder != references.encoder:  # the gallery was changed for one of another encoder
        query = references.embed(photo.photo, query.path, query.sha256)
    return references.find(query, request.references)


def choose_crops(
    photo: SeenPhoto,
    boxes: np.ndarray,
    scores: np.ndarray,
    scorer: Callable[[np.ndarray], np.ndarray],
    request: CropRequest,
    evidence: np.ndarray | None = None,
) -> SelectedCrops:
    """Choose among predictions.

    Args:
        photo: the photo.
        boxes: (N, 4) predicted, xyxy in pixels of the upright photo.
        scores: (N,) their scores.
        scorer: scores of boxes, as :func:`select_crops` takes it.
        request: what is asked for.
        evidence: (h, w) how much each cell of the photo belongs to its subject, where the model says so. It counts in
            place of what stands out by its colours.

    Raises:
        PhotoRejected: there is no such crop.
    """
    subject = None
    if (request.ratio is not None or request.size is not None) and request.subject is None:
        subject = photo.subject if evidence is None else evidence
    try:
        selected = select_crops(boxes, scores, photo.size, request, scorer, subject)
    except ImpossibleCropError as error:
        raise PhotoRejected(photo.path, str(error), photo.size) from error
    if not len(selected.boxes):
        reason = "the model gave no usable crop (NaN or no area)"
        raise PhotoRejected(photo.path, reason, photo.size)
    return selected


def said_of(
    photo: SeenPhoto,
    selected: SelectedCrops,
    text: "PhotoText | None",
    references: "LiveReferences | None",
    found: "FoundReferences | None",
    attention: "ReferenceAttention | None" = None,
) -> CropResult:
    """The result of a photo: its crops, and what they are made after."""
    return CropResult(
        photo.path,
        photo.size,
        selected.boxes,
        selected.scores,
        [] if found is None else _used(references, found),
        caption=None if text is None else text.caption,
        caption_source=None if text is None else text.source,
        image=photo.photo,
        focal_points=selected.focal_points,
        attention=attention,
        notes=() if found is None else found.notes,
    )


def _used(references: "LiveReferences", found: "FoundReferences") -> list[Reference]:
    gallery = references.gallery
    used = []
    for i, score, weight in zip(found.ids.tolist(), found.scores, found.weights, strict=True):
        said = gallery.credit(i)
        path = os.fspath(gallery.photo_path(i))
        used.append(
            Reference(
                i,
                str(gallery.names[i]),
                float(score),
                path,
                int(weight),
                said.title,
                said.author,
                said.licence,
            )
        )
    return used
