"""Annotation files of CPC, the Comparative Photo Composition database (Wei et al. 2018)."""

import json
import math
import os
from pathlib import Path

import numpy as np

from procrop.datasets.errors import AnnotationError


def read_cpc_annotation(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read the crops of one photo.

    The file holds a JSON string that holds JSON: an object with ``bboxes``, 24 crops as ``[x1, y1, x2, y2]`` in pixels
    of the photo, and ``scores``, a list of 24 numbers per annotator. A crop's score is the mean over the annotators. A
    file whose JSON is not wrapped into a string is read likewise.

    Args:
        path: The file, ``CollectedAnnotationsRaw/<photo's name>.txt``.

    Returns:
        Boxes (n, 4) float32 xyxy in pixels and scores (n,) float32, in file order.

    Raises:
        AnnotationError: The file cannot be read, or is not of this form; the message names it and the reason.
    """
    try:
        content = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
        if isinstance(content, str):
            content = json.loads(content)
        boxes, scores = content["bboxes"], content["scores"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path}:1: not a CPC annotation with 'bboxes' and 'scores' ({error!r}); restore the file"
        ) from error
    if reason := _fault(boxes, scores):
        raise AnnotationError(f"{path}:1: {reason}; restore the file")
    mean = np.asarray(scores, np.float64).mean(axis=0)
    return np.asarray(boxes, np.float32), mean.astype(np.float32)


def _fault(boxes: object, scores: object) -> str | None:
    """What is wrong with the values, if anything is."""
    if not (isinstance(boxes, list) and boxes and all(_numbers(box, 4) for box in boxes)):
        return "'bboxes' is not a list of crops [x1, y1, x2, y2]"
    if not (isinstance(scores, list) and scores and all(_numbers(row, len(boxes)) for row in scores)):
        return f"'scores' is not a list of {len(boxes)} numbers per annotator"
    for x1, y1, x2, y2 in boxes:
        if x2 <= x1 or y2 <= y1:
            return f"crop [{x1}, {y1}, {x2}, {y2}] has no area"
    return None


def _numbers(row: object, length: int) -> bool:
    plain = isinstance(row, list) and len(row) == length
    return plain and all(type(value) in (int, float) and math.isfinite(value) for value in row)
