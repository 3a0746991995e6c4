"""What is asked for crops of a ratio: trained models, smartcrop, the largest crop in the middle or at the subject."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from procrop.evaluation.known_subjects import KnownSubject
from procrop.evaluation.subject_kept import can_be_kept, largest_crop
from procrop.structures.boxes import clip_boxes

# about the longer one of the target that smartcrop is asked for, as in its documentation
_SMARTCROP_SIDE = 100


@dataclass(frozen=True, eq=False)
class RatioQuestion:
    """A photo and the ratios it is to be cropped to.

    Attributes:
        known: the photo's subject.
        path: its file.
        photo: (H, W, 3) uint8 RGB, upright.
        ratios: ratio as it was written -> width / height.
    """

    known: KnownSubject
    path: Path
    photo: np.ndarray
    ratios: Mapping[str, Fraction]


#: crops (4,) ``xyxy`` by ratio; a ValueError says why the photo has none
RatioCropper = Callable[[RatioQuestion], dict[str, np.ndarray]]


def centre_crops(question: RatioQuestion) -> dict[str, np.ndarray]:
    """The largest crop in the middle of the photo."""
    return {text: largest_crop(question.known.size, float(r)) for text, r in question.ratios.items()}


def oracle_crops(question: RatioQuestion) -> dict[str, np.ndarray]:
    """The largest crop about the subject, or about its head where the subject does not fit: what can be reached."""
    known, crops = question.known, {}
    for text, ratio in question.ratios.items():
        fits = known.head is None or can_be_kept(known.subject, known.size, float(ratio))
        x1, y1, x2, y2 = known.subject if fits else known.head
        crops[text] = largest_crop(known.size, float(ratio), ((x1 + x2) / 2, (y1 + y2) / 2))
    return crops


def smartcrop_crops(question: RatioQuestion, **options: float) -> dict[str, np.ndarray]:
    """The best crop of the package smartcrop, by default with its defaults: it tries the largest crops and those of
    90 % of their sides. ``options`` are those of its ``crop``."""
    from PIL import Image
    from smartcrop import SmartCrop

    image, crops = Image.fromarray(question.photo), {}
    for text, ratio in question.ratios.items():
        parts = ratio.numerator, ratio.denominator
        times = max(1, round(_SMARTCROP_SIDE / max(parts)))
        best = SmartCrop().crop(image, *(part * times for part in parts), **options)["top_crop"]
        box = [best["x"], best["y"], best["x"] + best["width"], best["y"] + best["height"]]
        crops[text] = clip_boxes(np.array([box], np.float64), question.known.size)[0]
    return crops


def largest_smartcrop_crops(question: RatioQuestion) -> dict[str, np.ndarray]:
    """The same, but only of the largest crops: it cannot cut a subject by taking less of the photo."""
    return smartcrop_crops(question, min_scale=1.0)


def model_crops(
    checkpoint: str | os.PathLike | None = None,
    gallery: str | os.PathLike | None = None,
    device: str | None = None,
) -> RatioCropper:
    """The best crop of a trained model, which is asked for the ratio and is not told the subject.

    Args:
        checkpoint, gallery: as for `find_model`.
        device: as for `CropInferencer`.

    Raises:
        ValueError: The model or its gallery cannot be found or used.
    """
    from procrop.inference.crop_inferencer import CropInferencer
    from procrop.inference.crop_request import CropRequest
    from procrop.inference.one_call import find_model

    cropper = CropInferencer(*find_model(checkpoint, gallery), device)

    def crops(question: RatioQuestion) -> dict[str, np.ndarray]:
        embedding, found = cropper.embed(question.photo, question.path), {}
        for text in question.ratios:
            result = cropper.answer(embedding, CropRequest(top_k=1, ratio=text))
            if result.rejected is not None:
                raise ValueError(result.rejected)
            found[text] = result.boxes[0]
        return found

    return crops
