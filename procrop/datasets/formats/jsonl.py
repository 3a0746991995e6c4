"""The generic format: one JSON object a line for each record."""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import own_split
from .base import CropFormat, box_fault, sound_boxes
from .json_values import number_rows, numbers, parse_json, whole_size
from .losses import further_fields, note_losses
from .names import without_suffix
from .text import encoded, numbered_lines, plain_numbers

_SPLITS = ("train", "val", "test")
_KEYS = ("photo", "img_id", "source_id", "size", "crops", "subject", "mask", "tags", "split", "extra")
_CROP_KEYS = ("box", "score")


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
    seen = set()
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
        if record is None:
            continue
        if record.img_id in seen:
            problems.add(f"{file}:{number} ({record.img_id!r})", "record listed twice; give each an img_id")
            continue
        seen.add(record.img_id)
        yield record


def _record(line: dict, place: str, problems: Problems) -> CropRecord | None:
    """The record of a line that has no fault but perhaps in its crops."""
    size = None if line.get("size") is None else whole_size(line["size"])
    boxes = number_rows([crop["box"] for crop in line["crops"]], 4)
    sound = sound_boxes(boxes, place, problems, size)
    scores = None
    if "score" in line["crops"][0]:
        scores = np.array([crop["score"] for crop in line["crops"]], np.float64)
        for row in np.flatnonzero(~np.isfinite(scores)):
            problems.add(f"{place} (crop {row + 1})", "score is NaN or infinite")
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
        size=size,
        subject=None if line.get("subject") is None else np.array(line["subject"], np.float64),
        mask=line.get("mask"),
        tags=tuple(line.get("tags") or ()),
        extra=extra,
    )


def _line_fault(line: object) -> str | None:
    """Say what is wrong with a line, apart from the place of its crops."""
    if not isinstance(line, dict):
        return "not a JSON object"
    if fault := _unknown_key(line, _KEYS):
        return fault
    for key in ("photo", *(["mask"] if line.get("mask") is not None else [])):
        if fault := name_fault(line.get(key)):
            return f"{key!r}: {fault}"
    crops = line.get("crops")
    if not isinstance(crops, list) or not crops:
        return "'crops' is not a list of at least one crop"
    if not all(isinstance(crop, dict) and numbers(crop.get("box"), 4) for crop in crops):
        return 'a crop is not {"box": [x1, y1, x2, y2], "score": number}'
    if fault := next(filter(None, (_unknown_key(crop, _CROP_KEYS) for crop in crops)), None):
        return f"in a crop: {fault}"
    scores = [crop["score"] for crop in crops if "score" in crop]
    if scores and numbers(scores, len(crops)) is None:
        return "either all crops of a line have a number as 'score', or none has a 'score'"
    return _field_fault(line)


def _unknown_key(found: dict, known: tuple[str, ...]) -> str | None:
    """Name a key that is not one of ``known``: what is misspelt would be missed without a word."""
    for key in found:
        if key not in known:
            near = get_close_matches(key, known, 1)
            return f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else "")
    return None


def _field_fault(line: dict) -> str | None:
    size, subject, tags = line.get("size"), line.get("subject"), line.get("tags")
    if size is not None and whole_size(size) is None:
        return "'size' is not [width, height] in whole pixels"
    if subject is not None:
        if (box := numbers(subject, 4)) is None:
            return "'subject' is not a box [x1, y1, x2, y2]"
        if fault := box_fault(box, None if size is None else whole_size(size)):
            return f"'subject': {fault}"
    if tags is not None and not (isinstance(tags, list) and all(isinstance(t, str) for t in tags)):
        return "'tags' is not a list of names"
    for key in ("img_id", "source_id"):
        if key in line and not (isinstance(line[key], str) and line[key]):
            return f"{key!r} is not a name"
    if "split" in line and line["split"] not in _SPLITS:
        return f"'split' is none of {', '.join(_SPLITS)}"
    return _extra_fault(line.get("extra"))


def _extra_fault(extra: object) -> str | None:
    if extra is None:
        return None
    if not isinstance(extra, dict):
        return "'extra' is not an object"
    if "split" in extra:
        return "'extra' has a 'split', which is a key of the line"
    try:
        json.dumps(extra, allow_nan=False)
    except ValueError:
        return "'extra' holds NaN or an infinite number, which cannot be written again"
    return None
