"""Figures of single photos, from the predictions of a test and the annotations of its dataset."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from procrop.evaluation.measured import Measured, measure
from procrop.evaluation.photo_record import make_photo_record

# by how much figures may differ from those of the test: predictions are written with three digits
_ROUNDING = 0.005


class SamePhotos:
    """The annotated photos of a test set, and what a config measures on them.

    Args:
        cfg: A merged config with ``test_dataloader`` and ``test_evaluator``, as plain values.

    Raises:
        ValueError: The dataset cannot be read, or none of the evaluators works photo by photo.
    """

    def __init__(self, cfg: Mapping[str, Any]) -> None:
        from mmengine.registry import DefaultScope

        from procrop.registry import DATASETS, METRICS

        evaluators = cfg.get("test_evaluator") or []
        evaluators = evaluators if isinstance(evaluators, list | tuple) else [evaluators]
        settings = {**cfg["test_dataloader"]["dataset"], "pipeline": [], "references": None, "text": None}
        with DefaultScope.overwrite_default_scope("procrop"):
            metrics = [METRICS.build(dict(evaluator)) for evaluator in evaluators]
            dataset = DATASETS.build(settings)
        self.protocols = []
        for metric in metrics:
            for protocol in getattr(metric, "protocols", ()):
                protocol.prefix = metric.prefix  # the key that the test gives its figures
                self.protocols.append(protocol)
        if not self.protocols:
            raise ValueError("no evaluator of the config tells figures of single photos")
        for protocol in self.protocols:
            protocol.floors = False
        self.photos = [dataset.get_data_info(i) for i in range(len(dataset))]
        self.sources = [str(photo.get("source_id", photo["img_id"])) for photo in self.photos]


def read_records(folder: Path, same: SamePhotos) -> Measured:
    """Measure the predictions of a test.

    Args:
        folder: Of the test, with ``predictions.jsonl`` and ``test_metrics.json``.
        same: The photos.

    Returns:
        What the protocols find, photo by photo.

    Raises:
        ValueError: Predictions are missing or damaged, are of other photos, or do not give the figures of the test.
    """
    from procrop.datasets.problems import Problems
    from procrop.evaluation.predictions import read_predictions

    problems = Problems()
    predictions = read_predictions(folder / "predictions.jsonl", problems)
    if problems:
        raise ValueError(f"{folder}: {problems.summary()}; remove this folder to test anew")
    missing = [photo["img_id"] for photo in same.photos if photo["img_id"] not in predictions]
    if missing or len(predictions) != len(same.photos):
        raise ValueError(
            f"{folder}: predictions of {len(predictions)} photos, and the dataset has {len(same.photos)} now; "
            "remove this folder to test anew"
        )
    records = []
    for photo in same.photos:
        found = predictions[photo["img_id"]]
        records.append(
            make_photo_record(
                photo["img_id"],
                found.size,
                photo["gt_bboxes"],
                photo["gt_scores"],
                photo.get("gt_positives"),
                found.boxes,
                found.scores,
                found.candidate_scores,
                str(photo.get("source_id", "")),
            )
        )
    measured = measure(same.protocols, records)
    _agree(measured, folder)
    return measured


def _agree(measured: Measured, folder: Path) -> None:
    """See that predictions and figures are of one test."""
    told = json.loads((folder / "test_metrics.json").read_text())
    for key, value in measured.named.items():
        # with an eps, one photo at the border of a hit may turn with the last digit
        allowed = _ROUNDING + (1.5 / max(1, measured.photos) if "@0." in key or "@>0." in key else 0)
        if told.get(key) is not None and abs(told[key] - value) > allowed:
            raise ValueError(
                f"{folder}: its predictions give {key} = {value:.4f}, and its test found {told[key]:.4f}: the dataset "
                "has changed since; remove this folder to test anew"
            )
