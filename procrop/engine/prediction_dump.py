"""Predictions of a test run in a file that anything can read."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from procrop.io.atomic import write_text


class PredictionDump(BaseMetric):
    """Write one JSON line per photo, in the order of the dataset.

    A line is ``{"img_id": str, "size": [width, height], "boxes": [[x1, y1, x2, y2], ...], "scores": [...]}``: boxes in
    pixels of the upright original photo, best first; scores in [0, 1]. A model that scores the annotated crops adds
    ``candidate_scores``, one for each in file order. ``tools/evaluate.py`` reads it.

    Args:
        path: File to write (replaced when it exists).
    """

    default_prefix = "dump"

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__(collect_device="cpu")
        self.path = path

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Take a batch of samples as dicts, with ``pred_instances``, ``ori_shape`` (h, w) and ``img_id``."""
        self.results += [prediction_line(sample) for sample in data_samples]

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, int]:
        """Write the file (mmengine calls this on rank 0 only).

        Returns:
            ``{"photos": number of lines}``.
        """
        write_text(self.path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in results))
        return {"photos": len(results)}


def prediction_line(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says of one photo.

    Args:
        sample: A CropDataSample as a dict, with ``pred_instances``, ``ori_shape`` (h, w) and ``img_id``.
    """
    height, width = sample["ori_shape"][:2]
    instances = sample["pred_instances"]
    line = {
        "img_id": str(sample["img_id"]),
        "size": [int(width), int(height)],
        "boxes": _rounded(instances["bboxes"], 3),
        "scores": _rounded(instances["scores"], 6),
    }
    if sample.get("candidate_scores") is not None:
        line["candidate_scores"] = _rounded(sample["candidate_scores"], 6)
    return line


def _rounded(values: Any, digits: int) -> list:
    """A tensor or array as nested lists of short floats."""
    values = values.cpu().numpy() if hasattr(values, "cpu") else np.asarray(values)
    return np.round(values.astype(np.float64), digits).tolist()
