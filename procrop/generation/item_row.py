"""What a dataset says of an item, and the record that its format writes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.datasets.records import UNSCORED_MOS, CropRecord

from .canvas_plan import CanvasPlan
from .item import CADItem

if TYPE_CHECKING:
    from .chain import StepChain
    from .source_photos import SourcePhoto

_SHOWN_DIGITS = 16


def item_row(item: CADItem, photo: "SourcePhoto", photo_sha256: str, chain: "StepChain") -> dict[str, Any]:
    """A finished item as JSON values.

    Returns:
        ``size`` (width, height) and ``known`` xyxy in pixels of the finished photo, ``source_id``, ``composition``,
        ``analysis`` of the source photo, and ``extra``: what goes into the annotation's further fields.

    Raises:
        ValueError: A step has made something of another kind than it should.
    """
    plan: CanvasPlan = item.need("canvas", "the dataset")
    image = item.need("image", "the dataset")
    if image.dtype != np.uint8 or image.shape != (plan.height, plan.width, 3):
        raise ValueError(
            f"{item.key}: its image is {image.dtype} {image.shape}, not a uint8 canvas of {plan.width} x {plan.height}"
        )
    source = {"photo": photo.name, "collection": photo.collection, "sha256": photo_sha256}
    source |= {key: value for key, value in vars(photo.credit).items() if value is not None}
    extra: dict[str, Any] = {"source": source, "seed": chain.seed, "variant": item.variant}
    if item.crops is not None:
        extra["initial_crops"] = [[_plain(value) for value in crop] for crop in item.crops.tolist()]
    subject = None if item.analysis is None else item.analysis.within.subject_box
    if subject is not None:
        extra["subject"] = _on_canvas(subject, plan)
    if item.quality:
        extra["quality"] = {name: float(value) for name, value in sorted(item.quality.items())}
    extra["components"] = {name: print_[:_SHOWN_DIGITS] for name, print_ in chain.fingerprints.items()}
    extra["stand_ins"] = chain.stand_ins
    return {
        "source_id": photo.source_id,
        "size": [plan.width, plan.height],
        "known": list(plan.known),
        "composition": item.composition,
        "analysis": None if item.analysis is None else item.analysis.as_dict(),
        "extra": extra,
    }


def crop_record(key: str, row: Mapping[str, Any], split: str) -> CropRecord:
    """The annotation of an item: the known area with the best score, its composition class as a tag."""
    return CropRecord(
        img_id=key,
        photo=f"{key}.jpg",
        boxes=np.array([row["known"]], np.float64),
        scores=np.array([UNSCORED_MOS]),
        source_id=row["source_id"],
        size=tuple(row["size"]),
        tags=(row["composition"],) if row["composition"] else (),
        extra={**row["extra"], "split": split},
    )


def _on_canvas(box: tuple[float, float, float, float], plan: CanvasPlan) -> list[float]:
    """A box in fractions of the source photo as pixels of the canvas, to a hundredth."""
    width, height = plan.known_size
    left, top = plan.known[:2]
    return [
        round(float(value) * side + start, 2)
        for value, side, start in zip(box, (width, height) * 2, (left, top) * 2, strict=True)
    ]


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else value
