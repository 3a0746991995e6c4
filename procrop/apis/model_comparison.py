"""Predictions of several models side by side: which photos to show, their figures, the sheet. Needs no torch."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from procrop.datasets.records import CropRecord, CropSet
from procrop.evaluation.functional.iou_disp import iou_disp
from procrop.evaluation.functional.ranking import rank_order, top_crops, valid_crops
from procrop.evaluation.predictions import Prediction
from procrop.io import PhotoError, progress, read_photo
from procrop.structures.boxes import box_iou
from procrop.visualization.model_sheet import ModelCrops, ModelRow, ModelSheet

GROUND_TRUTHS = ("auto", "all", "best")
ORDERS = ("random", "difference", "file")


@dataclass
class ModelComparison:
    """What was drawn.

    Attributes:
        pages: Files of the sheet.
        figures: As JSON values: ``protocol``, the keys of what is measured; ``models`` with means over those of the
            photos shown that every model has a prediction for; ``photos`` with each one's figures.
        rejected: Reason per photo that could not be shown.
    """

    pages: list[Path]
    figures: dict[str, Any]
    rejected: dict[str, str] = field(default_factory=dict)


def ranked_crops(prediction: Prediction | None, record: CropRecord) -> np.ndarray:
    """(P, 4) a model's crops of a record, best first; none without a prediction.

    Raises:
        ValueError: A ranker scored another number of crops than the record has.
    """
    if prediction is None:
        return np.zeros((0, 4))
    if prediction.boxes is not None:
        return prediction.boxes[rank_order(prediction.scores)]
    if len(prediction.candidate_scores) != len(record.boxes):
        raise ValueError(
            f"{prediction.place}: {len(prediction.candidate_scores)} candidate_scores for {len(record.boxes)} "
            "annotated crops"
        )
    return record.boxes[rank_order(prediction.candidate_scores)]


def ground_truth(record: CropRecord, which: str) -> np.ndarray:
    """(m, 4) the annotated crops that a prediction is compared with.

    ``"auto"`` takes all of them where the format has no scores, since each was drawn as a good one, else the one of the
    highest score, the first line among equals.
    """
    boxes = record.boxes[valid_crops(record.boxes, record.scores)]
    if record.scores is None or which == "all" or not len(boxes):
        return boxes
    return boxes[top_crops(record.scores[valid_crops(record.boxes, record.scores)], 1)]


def shown_annotation(record: CropRecord) -> np.ndarray | None:
    """(4,) the annotated crop to cut out: the best one, or without scores the one nearest to all the others."""
    if record.scores is not None:
        best = ground_truth(record, "best")
        return best[0] if len(best) else None
    boxes = ground_truth(record, "all")
    return boxes[box_iou(boxes, boxes).sum(axis=1).argmax()] if len(boxes) else None


def choose_photos(
    records: CropSet,
    models: Mapping[str, Mapping[str, Prediction]],
    ids: Sequence[str] = (),
    order: str = "random",
    limit: int | None = None,
    seed: int = 0,
    which: str = "auto",
) -> list[CropRecord]:
    """The records to show.

    Args:
        records: The dataset.
        models: Name to its predictions.
        ids: Show these, in this order, whatever the rest says.
        order: "random" (seeded), "file", or "difference": first where the models' IoU@1 lie farthest apart.
        limit: So many at most.
        seed: Of the random order.
        which: See `ground_truth`.

    Raises:
        ValueError: An id is unknown, or no model has a prediction for any record.
    """
    by_id = {record.img_id: record for record in records.records}
    for name, predictions in models.items():
        if not by_id.keys() & predictions.keys():
            raise ValueError(
                f"{name}: none of its {len(predictions)} photos is in the dataset, whose names look like "
                f"{records.records[0].img_id!r}"
            )
    if ids:
        unknown = [name for name in ids if name not in by_id]
        if unknown:
            raise ValueError(f"no record {unknown[0]!r} in the dataset ({len(unknown)} of --ids are unknown)")
        return [by_id[name] for name in ids]
    chosen = [r for r in records.records if any(r.img_id in predictions for predictions in models.values())]
    if order == "random":
        chosen = [chosen[i] for i in np.random.default_rng(seed).permutation(len(chosen))]
    elif order == "difference":
        if len(models) < 2:
            raise ValueError("--sort difference needs two models or more")
        gaps = [_gap(record, models, which) for record in chosen]
        chosen = [chosen[i] for i in rank_order(gaps)]
    return chosen[:limit]


def _gap(record: CropRecord, models: Mapping[str, Mapping[str, Prediction]], which: str) -> float:
    """Largest minus smallest IoU@1; a photo that a model has not predicted counts as 0 for it."""
    gt = ground_truth(record, which)
    if not len(gt):
        return 0.0
    tops = [ranked_crops(found.get(record.img_id), record)[:1] for found in models.values()]
    values = [box_iou(top, gt).max(initial=0.0) for top in tops]
    return float(max(values) - min(values))


def draw_comparison(
    records: CropSet,
    chosen: Sequence[CropRecord],
    models: Mapping[str, Mapping[str, Prediction]],
    path: str | os.PathLike,
    top: int = 1,
    which: str = "auto",
    rows_per_page: int = 12,
    references: Callable[[str], Sequence[np.ndarray | None]] | None = None,
) -> ModelComparison:
    """Draw the sheet of the chosen photos.

    Args:
        records: The dataset, for its photos.
        chosen: Of its records, in the order of the rows.
        models: Name to its predictions.
        path: A .png, .jpg or .html file.
        top: Crops per model. Figures are those of the best of them, an oracle for more than one.
        which: See `ground_truth`.
        rows_per_page: Rows of a page.
        references: From a photo's id to pictures of the gallery photos that a last column shows.
    """
    rejected: dict[str, str] = {}
    photos: list[dict[str, Any]] = []
    scored = any(record.scores is not None for record in chosen)
    against = "the best annotated crop" if scored and which != "all" else "the nearest annotated crop"
    detail = f"IoU and Disp against {against}" + (f", best of {top}" if top > 1 else "")
    last = None if references is None else "references"
    sheet = ModelSheet(path, list(models), top, rows_per_page, detail=detail, references=last)
    with sheet:
        for record in progress(chosen, desc="drawing"):
            try:
                row, figures = _row(records, record, models, top, which)
            except (PhotoError, ValueError) as error:
                reason = getattr(error, "reason", "") or str(error)
                rejected[record.img_id] = reason
                sheet.add(ModelRow(record.img_id, note=reason))
                continue
            row.references = () if references is None else references(record.img_id)
            sheet.add(row)
            photos.append({"img_id": record.img_id, "models": figures})
    found = {
        "protocol": protocol_keys(chosen, which, top),
        "models": _means(photos, list(models)),
        "photos": photos,
    }
    return ModelComparison(sheet.pages, found, rejected)


def protocol_keys(records: Sequence[CropRecord], which: str, top: int) -> dict[str, str]:
    """What ``iou`` and ``disp`` are, as the evaluator's keys, e.g. ``crop_best/iou@1``."""
    scored = any(record.scores is not None for record in records)
    prefix = "crop_best" if which != "all" and scored else "crop"
    return {name: f"{prefix}/{name}@{top}" for name in ("iou", "disp")}


def _row(
    records: CropSet, record: CropRecord, models: Mapping[str, Mapping[str, Prediction]], top: int, which: str
) -> tuple[ModelRow, dict[str, Any]]:
    photo = read_photo(records.photo_path(record))
    size = (photo.shape[1], photo.shape[0])
    gt = ground_truth(record, which)
    columns, figures = [], {}
    for name, predictions in models.items():
        prediction = predictions.get(record.img_id)
        if prediction is None:
            columns.append(ModelCrops(note="not in its file"))
            continue
        if prediction.size and prediction.size != size:
            seen = f"{prediction.size[0]} × {prediction.size[1]}"
            raise ValueError(f"{name} predicted it at {seen}, the photo has {size[0]} × {size[1]}")
        boxes = ranked_crops(prediction, record)[:top]
        if len(gt):
            iou, disp = (float(values[0]) for values in iou_disp(boxes, gt, size, [top]))
            figures[name] = {"iou": round(iou, 6), "disp": round(disp, 6)}
            columns.append(ModelCrops(boxes, f"IoU {iou:.3f}   Disp {disp:.3f}"))
        else:
            columns.append(ModelCrops(boxes))
    row = ModelRow(
        record.img_id,
        photo,
        record.boxes if record.scores is None else ground_truth(record, "best"),
        shown_annotation(record),
        record.subject,
        _annotation_note(record),
        columns,
    )
    return row, figures


def _annotation_note(record: CropRecord) -> str:
    boxes = ground_truth(record, "all")
    crops = f"{len(boxes)} annotated crop{'s' if len(boxes) != 1 else ''}"
    if record.scores is None:
        return f"{crops}; blue: nearest to all" if len(boxes) > 1 else crops
    best = max(record.scores[valid_crops(record.boxes, record.scores)], default=0)
    return f"{crops}; blue: the best, {best:.2f}" if len(boxes) else crops


def _means(photos: Sequence[Mapping], models: Sequence[str]) -> dict[str, dict[str, float | int]]:
    """Means over the photos that every model has, so that they can be compared."""
    shared = [photo["models"] for photo in photos if all(name in photo["models"] for name in models)]
    if not shared:
        return {}
    keys = ("iou", "disp")
    return {
        name: {key: round(float(np.mean([m[name][key] for m in shared])), 6) for key in keys}
        | {"photos": len(shared)}
        for name in models
    }


def warn_unknown(records: CropSet, models: Mapping[str, Mapping[str, Prediction]]) -> None:
    """Say on stderr how many predictions belong to no record."""
    known = {record.img_id for record in records.records}
    for name, predictions in models.items():
        unknown = sorted(predictions.keys() - known)
        if unknown:
            print(
                f"{name}: {len(unknown)} photos are not in the dataset, such as {unknown[0]!r}",
                file=sys.stderr,
            )
