"""Rows that give the same crops everywhere, those that suit a training set best."""

import hashlib
from typing import Any

import numpy as np

from procrop.datasets.formats.spec import parse_spec
from procrop.datasets.problems import Problems
from procrop.evaluation.annotated_sizes import sizes_by_annotation
from procrop.evaluation.constant_set import FIGURES, fit_constant_set
from procrop.evaluation.evaluation_photos import EvaluationPhotos, open_photos
from procrop.evaluation.named_protocols import default_protocols
from procrop.evaluation.protocols.iou_disp import IoUDisp

from .cropper_row import COUNT, ComparedPhoto, CropperRow, Predictor, RowCrops

_VERSION = 1


def training_photos(spec: str) -> tuple[EvaluationPhotos, int]:
    """The photos of a training set whose size is known, told by the crops, or supposed, and how many are left out.

    Raises:
        ValueError: Nothing is known of any photo's size.
    """
    crops = parse_spec(spec).read(strict=False)
    photos = open_photos(crops, spec)
    photos.sizes = sizes_by_annotation(crops) | photos.sizes
    kept = [record for record in photos.records if record.img_id in photos.sizes]
    if not kept:
        photos.check_sizes()
    left_out, photos.records = len(photos.records) - len(kept), kept
    return photos, left_out


def constant_rows(spec: str, name: str | None = None) -> list[CropperRow]:
    """One row fitted for IoU and one for Disp on a training set.

    Args:
        spec: ``FORMAT:ROOT[:SPLIT]``; its photos need not be there where `sizes_by_annotation` can do without.
        name: in the rows' names; by default that of the format.
    """
    name = name or parse_spec(spec).format
    photos, left_out = training_photos(spec)
    truth = "best" if "crop_best" in default_protocols(photos.scored, False) else "all"
    made_of = {
        "photos": len(photos.records),
        "left_out": left_out,
        "crops": _digest(photos),
        "against": truth,
    }
    rows = []
    for figure in FIGURES:
        recipe = {"kind": "constant", "figure": figure, "count": COUNT, "version": _VERSION} | made_of
        about = f"constant, fitted for {figure} on {len(photos.records):,} photos of {name}"

        def fit(figure: str = figure) -> Predictor:
            records = photos.with_predictions({}, Problems())
            crops = fit_constant_set(IoUDisp(ground_truth=truth, floors=False), records, COUNT, figure)
            return lambda photo: _everywhere(crops, photo)

        rows.append(CropperRow(f"constant_{name}_{figure}", recipe, fit, about))
    return rows


def _everywhere(crops: np.ndarray, photo: ComparedPhoto) -> RowCrops:
    return RowCrops(crops * np.tile(np.asarray(photo.size, np.float64), 2))


def _digest(photos: EvaluationPhotos) -> str:
    """SHA-256 of all that a fit reads."""
    digest = hashlib.sha256()
    for record in photos.records:
        parts: list[Any] = [record.img_id.encode("utf-8", "surrogateescape"), photos.sizes[record.img_id]]
        for part in (*parts, record.boxes, record.scores):
            digest.update(part if isinstance(part, bytes) else np.asarray(part, np.float64).tobytes() + b"|")
    return digest.hexdigest()
