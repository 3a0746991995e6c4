"""Rows that need no training: fixed crops, smartcrop, rules of composition, the teacher."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from procrop.evaluation.baselines import BASELINES
from procrop.structures.boxes import box_iou, clip_boxes

from .cropper_row import COUNT, ComparedPhoto, CropperRow, Predictor, RowCrops

#: fixed crops that are compared unless others are asked for
FIXED = ("full_photo", "centre_80", "centre_90", "centre_80_area", "centre_90_area")
_ABOUT_FIXED = {
    "full_photo": "the whole photo",
    "centre": "centred, 80 % of both sides",
    "centre_80": "centred, 80 % of both sides",
    "centre_90": "centred, 90 % of both sides",
    "centre_80_area": "centred, 80 % of the area",
    "centre_90_area": "centred, 90 % of the area",
    "random": "a random ranking of the GAIC grid",
}
# raise when a row gives other crops than before
_VERSION, _TEACHER_VERSION = 1, 2
_SMARTCROP_SIDE = 100  # of the target that smartcrop is asked for, as in its documentation
_SAME = 0.85  # IoU above which two windows are one answer, as among pseudo labels
_PRINCIPLES = ("KnownAreaKept", "SubjectWhole", "RuleOfThirds", "VisualBalance", "HorizonOnThird")


def fixed_row(name: str, seed: int = 0) -> CropperRow:
    """A baseline of `procrop.evaluation.baselines`."""
    make = BASELINES[name]

    def predict(photo: ComparedPhoto) -> RowCrops:
        return RowCrops(make(photo.record.img_id, photo.size, seed)[:COUNT])

    recipe = {"kind": "fixed", "name": name, "seed": seed, "version": _VERSION}
    return CropperRow(name, recipe, lambda: predict, _ABOUT_FIXED[name])


def smartcrop_row(name: str = "smartcrop") -> CropperRow:
    """The package smartcrop with its defaults.

    It needs the shape of what it is to cut out: it is asked for the photo's own, with a long side of 100 pixels. Its
    crops then have 100 or 90 % of the photo's sides; given are the three of its best scores that are not the same.
    """
    recipe = {"kind": "smartcrop", "package": version("smartcrop"), "version": _VERSION}
    about = "the package, its defaults, the photo's own shape"
    return CropperRow(name, recipe, lambda: smartcrop_crops, about)


def smartcrop_crops(photo: ComparedPhoto) -> RowCrops:
    """The crops of a photo, see :func:`smartcrop_row`."""
    from PIL import Image
    from smartcrop import SmartCrop

    scale = _SMARTCROP_SIDE / max(photo.size)
    target = [max(1, round(side * scale)) for side in photo.size]
    found = SmartCrop().crop(Image.fromarray(photo.pixels), *target)["crops"]
    found.sort(key=lambda crop: -crop["score"])
    boxes: dict[tuple[int, ...], float] = {}
    for crop in found:
        box = crop["x"], crop["y"], crop["x"] + crop["width"], crop["y"] + crop["height"]
        boxes.setdefault(box, crop["score"])
    chosen = list(boxes)[:COUNT]
    return RowCrops(
        clip_boxes(np.array(chosen, np.float64), photo.size), np.array(list(boxes.values())[:COUNT])
    )


def rules_row(name: str = "rules") -> CropperRow:
    """Rules of composition on colour contrast, with no network.

    All windows of the teacher's lattice are ranked by the mean of five principles: area, subject kept, thirds, balance,
    horizon, none of which forbids a window. Subject and saliency are those of contrast in CIE Lab. Of windows with
    an IoU above 0.85 the best one counts.
    """
    recipe = {"kind": "rules", "principles": list(_PRINCIPLES), "same": _SAME, "version": _VERSION}
    return CropperRow(name, recipe, _rules, "composition rules on colour contrast")


def _rules() -> Predictor:
    from procrop.generation.curation.consensus_crops import usable_windows, window_lattice
    from procrop.generation.curation.measure import measure_facts
    from procrop.registry import CURATION

    principles = [CURATION.build(dict(type=name, minimum=0.0)) for name in _PRINCIPLES]

    def predict(photo: ComparedPhoto) -> RowCrops:
        width, height = photo.size
        whole = np.array([0, 0, width, height], np.float64)
        facts = measure_facts(photo.pixels, photo.size, whole)
        boxes = window_lattice()[0][usable_windows(photo.size)] * np.tile(photo.size, 2)
        scores = [scored for p in principles if (scored := p.scores(boxes, facts)) is not None]
        merits = np.mean(scores, axis=0)
        chosen = distinct(boxes, merits, COUNT)
        return RowCrops(boxes[chosen], merits[chosen])

    return predict


def distinct(boxes: np.ndarray, merits: np.ndarray, count: int) -> list[int]:
    """Rows of the best boxes (n, 4) by merits (n,), ties by row, of which no two have an IoU above 0.85."""
    chosen: list[int] = []
    for row in np.argsort(-merits, kind="stable").tolist():
        if len(chosen) == count:
            break
        if not chosen or box_iou(boxes[row][None], boxes[chosen]).max() <= _SAME:
            chosen.append(row)
    return chosen


def teacher_row(name: str = "teacher", settings: Mapping[str, Any] | None = None) -> CropperRow:
    """The rules that the model is taught by: `EvidenceTeacher` or, with a ``type`` among the ``settings``, another.

    Raises:
        ValueError: An argument it does not have, or no such teacher.
    """
    import procrop.models  # noqa: F401 (registers the teachers)
    from procrop.registry import MODELS

    try:
        teacher = MODELS.build({"type": "EvidenceTeacher"} | dict(settings or {}))
    except (KeyError, TypeError) as error:
        raise ValueError(f"--teacher {name}: {error.args[0]}") from error

    def predict(photo: ComparedPhoto) -> RowCrops:
        # a teacher with references must not be shown the photo itself, nor anything of its source
        found = teacher(photo.pixels, photo.record.source_id)
        boxes = found.boxes[:COUNT] * np.tile(np.asarray(photo.size, np.float64), 2)
        return RowCrops(boxes)  # in the order in which they were chosen, which is not that of their agreement

    recipe = {"kind": "teacher", "fingerprint": teacher.fingerprint, "version": _TEACHER_VERSION}
    return CropperRow(name, recipe, lambda: predict, "the rules that the model is taught by")
