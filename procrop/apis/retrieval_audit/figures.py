"""Figures of each photo, by the metrics of a config, from predictions in a file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope

from procrop.evaluation.photo_record import PhotoRecord, make_photo_record
from procrop.evaluation.photo_table import PhotoTable
from procrop.evaluation.protocols.base import Protocol, measure_all
from procrop.registry import METRICS
from procrop.structures.boxes import box_iou

#: figures that are shown unless others are asked for, where the config has them; the first one decides
USUAL = (
    "crop/iou@1",
    "crop/disp@1",
    "crop_best/iou@1",
    "crop_best/disp@1",
    "acc/acc_1/5@0.85",
    "acc/acc_1/10@0.85",
    "acc/mean_acc_5@0.85",
    "acc/mean_acc_10@0.85",
    "grid/srcc",
    "grid/acc_1/5_ties",
    "grid/acc_1/10_ties",
)


def build_protocols(evaluator: Any) -> dict[str, Protocol]:
    """The protocols of a config's evaluator that give figures photo by photo, without their floors, by prefix and
    place.

    Raises:
        ValueError: There is none.
    """
    entries = [evaluator] if isinstance(evaluator, Mapping) else list(evaluator or [])
    with DefaultScope.overwrite_default_scope("procrop"):
        built = [METRICS.build(dict(entry)) for entry in entries]
    found: dict[str, Protocol] = {}
    for metric in built:
        for protocol in getattr(metric, "protocols", ()):
            protocol.floors = False
            found[f"{metric.prefix}:{len(found)}"] = protocol
    if not found:
        raise ValueError(
            "the config's evaluator has no metric that gives a figure per photo, e.g. CropIoUDisp"
        )
    return found


def photo_figures(
    protocols: Mapping[str, Protocol], annotations: Mapping[str, Mapping], predictions: Mapping[str, Mapping]
) -> dict[str, np.ndarray]:
    """Every figure of every photo.

    Args:
        protocols: What to compute, from :func:`build_protocols`.
        annotations: img_id to ``size`` (width, height) and annotated crops ``bboxes`` and ``scores``.
        predictions: img_id to ``boxes``, ``scores`` and, of a model that scores given crops, ``candidate_scores``.

    Returns:
        Key to (photos,) float64 in the order of ``annotations``; NaN where a photo does not have the figure.
    """
    records = [_record(annotation, predictions[img_id]) for img_id, annotation in annotations.items()]
    columns: dict[str, np.ndarray] = {}
    for name, table in zip(protocols, measure_all(list(protocols.values()), records), strict=True):
        if isinstance(table, PhotoTable):
            prefix = name.partition(":")[0]
            found = {f"{prefix}/{k}": table.values[:, table.keys.index(k)] for k in table.scores}
            columns |= {key: column for key, column in found.items() if not np.isnan(column).all()}
    return columns


def _record(annotation: Mapping, prediction: Mapping) -> PhotoRecord:
    return make_photo_record(
        annotation["img_id"],
        annotation["size"],
        annotation.get("bboxes", ()),
        annotation.get("scores"),
        annotation.get("positives"),
        prediction["boxes"],
        prediction["scores"],
        prediction.get("candidate_scores"),
    )


def same_crop(first: Mapping[str, Mapping], second: Mapping[str, Mapping]) -> float:
    """Mean IoU of the top-1 crops of two sets of predictions; photos without a crop in both are left out."""
    pairs = [
        box_iou(np.array(line["boxes"][:1], float), np.array(second[img_id]["boxes"][:1], float))[0, 0]
        for img_id, line in first.items()
        if line["boxes"] and second[img_id]["boxes"]
    ]
    return float(np.mean(pairs)) if pairs else 1.0


def lower_is_better(key: str) -> bool:
    """Whether a smaller figure is the better one: displacement."""
    return key.rpartition("/")[2].startswith("disp")


def choose_keys(asked: Sequence[str], known: Sequence[str]) -> list[str]:
    """The figures to show: those asked for, else the usual ones, else all.

    Raises:
        ValueError: One of those asked for is not known.
    """
    unknown = [key for key in asked if key not in known]
    if unknown:
        raise ValueError(
            f"no figure {unknown[0]!r} from the config's evaluator; it gives: {', '.join(known)}"
        )
    return list(asked) or [key for key in USUAL if key in known] or list(known)
