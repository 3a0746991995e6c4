"""Files of predictions: one JSON object a line and photo, from any cropper.

    {"img_id": "0001", "size": [1024, 683], "boxes": [[x1, y1, x2, y2], ...], "scores": [0.91, ...]}

``img_id`` names the photo as the dataset does. ``boxes`` are pixels of the upright original photo, ``scores`` say which
is better; without them the boxes count as sorted, best first. ``size`` (width, height) may be left out where the photos
are on the disk. ``candidate_scores``, one for each annotated crop in the order of the annotation, is what a ranker
gives; its line may leave out ``boxes``, and then the annotated crops, ranked, are its predictions. Other keys are
passed over.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from procrop.datasets.problems import Problems

_SHOWN = 10


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of one photo.

    Attributes:
        place: 'file:line', for messages.
        size: (width, height) of the photo the boxes are in, or None.
        boxes: (P, 4) float64 ``xyxy`` pixels of the upright original photo, or None for a ranker.
        scores: (P,) float64.
        candidate_scores: (n,) float64, one for each annotated crop, or None.
    """

    place: str
    size: tuple[int, int] | None
    boxes: np.ndarray | None
    scores: np.ndarray
    candidate_scores: np.ndarray | None = None


def read_predictions(path: str | os.PathLike, problems: Problems) -> dict[str, Prediction]:
    """Read a file of predictions.

    Args:
        path: The file.
        problems: Takes the lines that cannot be used, with the reason; their photos have no prediction then.

    Returns:
        Predictions by img_id, in the order of the file.

    Raises:
        ValueError: The file cannot be read, or no line of it can be used.
    """
    try:
        with open(path, "rb") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise ValueError(f"{os.fspath(path)}: the predictions cannot be read ({error.strerror})") from error
    found: dict[str, Prediction] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            img_id, prediction = _parse(line, f"{os.fspath(path)}:{number}")
        except ValueError as error:
            problems.add(path, str(error), number)
            continue
        if img_id in found:
            problems.add(path, f"photo {img_id!r} has a line already (the first one counts)", number)
        else:
            found[img_id] = prediction
    if not found:
        reason = problems.summary() or "it is empty"
        raise ValueError(f"{os.fspath(path)}: no usable line of predictions: {reason}")
    return found


def _parse(line: bytes, place: str) -> tuple[str, Prediction]:
    try:
        entry = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse)
    except _NotFinite:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError("not a line of JSON") from error
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    img_id = entry.get("img_id")
    if not isinstance(img_id, (str, int)) or isinstance(img_id, bool):
        raise ValueError("no 'img_id', the photo's name in the dataset")
    candidates = _numbers(entry, "candidate_scores", 1)
    boxes = _numbers(entry, "boxes", 2)
    if boxes is None and candidates is None:
        raise ValueError("neither 'boxes' nor 'candidate_scores'")
    scores = _numbers(entry, "scores", 1)
    count = 0 if boxes is None else len(boxes)
    if scores is None:
        scores = -np.arange(count, dtype=np.float64)
    elif len(scores) != count:
        raise ValueError("'scores' are not as many as 'boxes'")
    return str(img_id), Prediction(place, _size(entry), boxes, scores, candidates)


class _NotFinite(ValueError):
    """JSON with NaN or an infinity, which some writers leave in."""


def _refuse(name: str) -> NoReturn:
    raise _NotFinite("a number that is not finite")


def _numbers(entry: dict, key: str, axes: int) -> np.ndarray | None:
    """A list of numbers (``axes`` 1) or of boxes (2) as float64, or None where the key is absent."""
    values = entry.get(key)
    if values is None:
        return None
    what = f"'{key}' is no list of numbers" if axes == 1 else f"'{key}' is no list of [x1, y1, x2, y2]"
    if not isinstance(values, list):
        raise ValueError(what)
    if not values:
        return np.zeros((0, 4) if axes == 2 else 0)
    try:
        array = np.array(values)
    except ValueError as error:
        raise ValueError(what) from error
    if array.dtype.kind not in "iuf" or array.ndim != axes or (axes == 2 and array.shape[1] != 4):
        raise ValueError(what)
    if not np.isfinite(array).all():
        raise _NotFinite("a number that is not finite")
    return array.astype(np.float64)


def _size(entry: dict) -> tuple[int, int] | None:
    size = entry.get("size")
    if size is None:
        return None
    plain = isinstance(size, list) and len(size) == 2 and all(type(v) in (int, float) and v > 0 for v in size)
    if not plain or any(v != int(v) for v in size):
        raise ValueError("'size' is not [width, height] in whole pixels")
    return int(size[0]), int(size[1])


def list_problems(problems: Mapping[str, Problems]) -> int:
    """Print on stderr what could not be used of each model's predictions; the exit code, 1 where there was anything."""
    for name, found in problems.items():
        for place, reason in found.entries[:_SHOWN]:
            # a name may hold characters that the terminal cannot show
            print(f"{name}: {place}: {reason}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
        if len(found) > _SHOWN:
            print(f"{name}: ... {len(found)} in all: {found.summary()}", file=sys.stderr)
    return 1 if any(problems.values()) else 0
