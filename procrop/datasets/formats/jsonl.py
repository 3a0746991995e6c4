"""The generic format: one JSON object a line for each record."""

import json
import math
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import own_split
from .base import CropFormat, sound_boxes
from .json_values import numbers, parse_json
from .losses import further_fields, note_losses
from .names import without_suffix
from .text import encoded, numbered_lines, plain_numbers

_SPLITS = ("train", "val", "test")
_KEYS = ("photo", "img_id", "source_id", "size", "crops", "subject", "mask", "tags", "split", "extra")


class JSONLFormat(CropFormat):
    """``annotations.jsonl`` beside the folder ``images``: everything a record holds, without loss.

    A line is an object with

    - ``photo``: name below ``images``, with "/" between folders (required);
    - ``crops``: list of ``{"box": [x1, y1, x2, y2], "score": number}`` in pixels of the upright photo (required);
      either all crops of a line have a score, or none;
    - ``img_id``: unique name of the record (the photo's name without suffix);
    - ``source_id``: equal for photos made from one original (``img_id``);
    - ``size``: ``[width, height]``; ``subject``: ``[x1, y1, x2, y2]``; ``mask``: name below ``images``;
    - ``tags``: list of names of subsets; ``split``: "train", "val" or "test"; ``extra``: an object of further fields.

    A line without ``split`` belongs to no split and is read only when all are.
    """

    name = "jsonl"
    title = "The JSONL data set"
    splits = _SPLITS
    carries = frozenset({"scores", "source_id", "subject", "mask", "tags", "extra"})
    layout = "{root}/annotations.jsonl\n{root}/images/<photo>"
    source = "docs/datasets.md says how a line is written; tools/datasets.py convert writes them from other formats."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        file = root / "annotations.jsonl"
        if not file.is_file():
            raise self.not_found(root, "annotations.jsonl is missing")
        records = list(read_records(file, problems))
        return root / "images", [r for r in records if split in (None, r.extra.get("split"))]

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        (root / "images").mkdir(parents=True, exist_ok=True)
        lines = [record_line(r, split or own_split(r, self.splits)) for r in records.records]
        write_bytes(root / "annotations.jsonl", encoded("".join(lines)))

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        names = [record.photo, *([record.mask] if record.mask else [])]
        return {name: f"images/{name}" for name in names}


def record_line(record: CropRecord, split: str | None) -> str:
    """A record as a line, with its end; what is absent or follows from the photo's name is left out."""
    line: dict[str, object] = {"photo": record.photo}
    if record.img_id != without_suffix(record.photo):
        line["img_id"] = record.img_id
    if record.source_id != record.img_id:
        line["source_id"] = record.source_id
    if record.size is not None:
        line["size"] = [int(side) for side in record.size]
    boxes = [plain_numbers(box) for box in record.boxes]
    if record.scores is None:
        line["crops"] = [{"box": box} for box in boxes]
    else:
        scored = zip(boxes, record.scores.tolist(), strict=True)
        line["crops"] = [{"box": box, "score": score} for box, score in scored]
    if record.subject is not None:
        line["subject"] = plain_numbers(record.subject)
    optional = dict(mask=record.mask, tags=list(record.tags), split=split, extra=further_fields(record))
    line |= {key: value for key, value in optional.items() if value}
    return json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"


def read_records(file: Path, problems: Problems) -> Iterator[CropRecord]:
    """Yield the records of a file; what cannot be used goes into ``problems`` with its line."""
    for number, text in numbered_lines(file):
        if not text.strip():
            continue
        try:
            line = parse_json(text)
        except ValueError as error:
            problems.add(file, str(error), number)
            continue
        if reason := _line_fault(line):
            problems.add(file, reason, number)
            continue
        record = _record(line, f"{file}:{number}", problems)
        if record is not None:
            yield record


def _record(line: dict, place: str, problems: Problems) -> CropRecord | None:
    """The record of a line that has no fault but perhaps in its crops."""
    boxes = np.array([numbers(crop["box"], 4) for crop in line["crops"]], np.float64)
    sound = sound_boxes(boxes, place, problems)
    scores = None
    if "score" in line["crops"][0]:
        scores = np.array([crop["score"] for crop in line["crops"]], np.float64)
        if not np.isfinite(scores).all():
            problems.add(place, "a score is NaN or infinite")
            sound &= np.isfinite(scores)
        scores = scores[sound]
    if not sound.any():
        return None
    extra = dict(line.get("extra") or {})
    if "split" in line:
        extra["split"] = line["split"]
    return CropRecord(
        img_id=line.get("img_id") or without_suffix(line["photo"]),
        photo=line["photo"],
        boxes=boxes[sound],
        scores=scores,
        source_id=line.get("source_id") or "",
        size=tuple(int(side) for side in line["size"]) if line.get("size") else None,
        subject=None if line.get("subject") is None else np.array(line["subject"], np.float64),
        mask=line.get("mask"),
        tags=tuple(line.get("tags") or ()),
        extra=extra,
    )


def _line_fault(line: object) -> str | None:
    """Say what is wrong with a line, apart from the place of its crops."""
    if not isinstance(line, dict):
        return "not a JSON object"
    for key in line:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, 1)
            return f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else "")
    for key in ("photo", *(["mask"] if line.get("mask") is not None else [])):
        if fault := name_fault(line.get(key)):
            return f"{key!r}: {fault}"
    crops = line.get("crops")
    if not isinstance(crops, list) or not crops:
        return "'crops' is not a list of at least one crop"
    if not all(isinstance(crop, dict) and numbers(crop.get("box"), 4) for crop in crops):
        return 'a crop is not {"box": [x1, y1, x2, y2], "score": number}'
    scored = [type(crop["score"]) in (int, float) for crop in crops if "score" in crop]
    if len(scored) not in (0, len(crops)) or not all(scored):
        return "either all crops of a line have a number as 'score', or none has a 'score'"
    return _field_fault(line)


def _field_fault(line: dict) -> str | None:
    size, subject, tags = line.get("size"), line.get("subject"), line.get("tags")
    if size is not None and not ((pair := numbers(size, 2)) and all(0 < s < math.inf for s in pair)):
        return "'size' is not [width, height]"
    if subject is not None:
        box = numbers(subject, 4)
        if not box or not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
            return "'subject' is not a box [x1, y1, x2, y2]"
    if tags is not None and not (isinstance(tags, list) and all(isinstance(t, str) for t in tags)):
        return "'tags' is not a list of names"
    for key in ("img_id", "source_id"):
        if key in line and not (isinstance(line[key], str) and line[key]):
            return f"{key!r} is not a name"
    if "split" in line and line["split"] not in _SPLITS:
        return f"'split' is none of {', '.join(_SPLITS)}"
    if not isinstance(line.get("extra") or {}, dict):
        return "'extra' is not an object"
    return None
