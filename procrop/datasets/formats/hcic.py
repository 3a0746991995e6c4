"""HCIC: other datasets' crops as JSON, with the box of the person in the human-centric photos (Zhang et al. 2022)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from procrop.io.atomic import write_json, write_text

from ..errors import AnnotationError
from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import own_split
from .base import CropFormat, box_fault, sound_boxes
from .losses import note_losses
from .names import flat_photo, one_each

_CROPS, _HUMANS = "image_crop.json", "human_bboxes.json"
_SPLIT_FILES = ("original_data_split.json", "data_split.json")
_PHOTO_FOLDERS = ("images", "image", "data")


class HCICFormat(CropFormat):
    """One folder of HCIC's ``human_bboxes/``: GAICD, FLMS, FCDB or CPC, with the photos beside the JSON files.

    ``image_crop.json`` maps a photo's name to its crops. The value tells how they are written: an object with ``bbox``
    and ``score`` (GAICD; CPC: ``bboxes`` and ``scores``) holds scored ``x1 y1 x2 y2``; a list of lists (FLMS) holds
    ``x1 y1 x2 y2`` without scores; four numbers (FCDB) are one crop as ``x y width height``. ``human_bboxes.json``
    holds a person's box ``x1 y1 x2 y2`` (in CPC within an object, under ``bbox``) of each human-centric photo; such a
    photo gets the tag "human", and the box as its subject. ``original_data_split.json`` or ``data_split.json`` lists
    the names of ``train`` and ``test``; without either, as for FLMS, all photos are test photos. The file
    ``human_data_split.json`` is not needed: it is the same split, kept to the photos with a person.
    """

    name = "hcic"
    title = "HCIC"
    splits = ("train", "test")
    carries = frozenset({"scores", "subject", "tags"})
    layout = (
        f"{{root}}/{_CROPS}\n{{root}}/{_HUMANS}\n"
        f"{{root}}/{_SPLIT_FILES[0]} or {_SPLIT_FILES[1]} (none for FLMS and CPC)\n"
        "{root}/images/[<split>/]<name>.jpg (or image/, data/)"
    )
    source = (
        "The JSON files are on the GitHub page bcmi/Human-Centric-Image-Cropping, below human_bboxes/; name one of its "
        "folders and put the photos of the original dataset into it."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        file = root / _CROPS
        if not file.is_file():
            raise self.not_found(root, f"{file.name} is missing")
        crops = _read_object(file)
        humans = _read_object(root / _HUMANS) if (root / _HUMANS).is_file() else {}
        members = _read_splits(root, list(crops), problems)
        stated = len(members) > 1
        photos = next((root / name for name in _PHOTO_FOLDERS if (root / name).is_dir()), root / "images")
        records = []
        for part, names in members.items():
            folder = f"{part}/" if part and (photos / part).is_dir() else ""
            for name in names if split in (None, part) else ():
                place = f"{file} ({name!r})"
                if fault := name_fault(name) or (None if name in crops else "no crops for this name"):
                    problems.add(place, fault)
                elif record := _record(name, crops[name], humans.get(name), place, problems, folder):
                    records.append(replace(record, extra={"split": part}) if stated and part else record)
        return photos, records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        crops: dict[str, Any] = {}
        humans = {}
        groups: dict[str, list[str]] = {}
        for name, record in one_each(records.records, flat_photo, self.title, problems):
            boxes = record.boxes.tolist()
            crops[name] = boxes if record.scores is None else {"bbox": boxes, "score": record.scores.tolist()}
            if record.subject is not None:
                humans[name] = record.subject.tolist()
            groups.setdefault(split or own_split(record, self.splits) or "", []).append(name)
        (root / "images").mkdir(parents=True, exist_ok=True)
        write_json(root / _HUMANS, humans)
        if any(groups):
            write_json(root / _SPLIT_FILES[1], {part: groups.get(part, []) for part in self.splits})
        # its keys keep the order of the records
        write_text(root / _CROPS, json.dumps(crops, allow_nan=False) + "\n")


@dataclass
class _Value:
    """What ``image_crop.json`` says of a photo.

    Attributes:
        boxes: (n, 4) ``xyxy``.
        scores: (n,), or None.
    """

    boxes: np.ndarray
    scores: np.ndarray | None


def _record(
    name: str, value: object, human: object, place: str, problems: Problems, folder: str
) -> CropRecord | None:
    try:
        parsed = _parse(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        problems.add(place, f"not crops as HCIC writes them ({error})")
        return None
    keep = sound_boxes(parsed.boxes, place, problems)
    if parsed.scores is not None:
        finite = np.isfinite(parsed.scores)
        for number in np.flatnonzero(keep & ~finite):
            problems.add(f"{place} (crop {number + 1})", "NaN or infinite score")
        keep &= finite
    if not keep.any():
        problems.add(place, "no usable crop")
        return None
    subject = _person(human, place, problems)
    return CropRecord(
        img_id=str(Path(name).with_suffix("")),
        photo=name if "/" in name else folder + name,
        boxes=parsed.boxes[keep],
        scores=None if parsed.scores is None else parsed.scores[keep],
        subject=subject,
        tags=() if subject is None else ("human",),
    )


def _parse(value: object) -> _Value:
    if isinstance(value, dict):
        boxes = value["bboxes"] if "bboxes" in value else value["bbox"]
        boxes = np.array(boxes, np.float64).reshape(-1, 4)
        scores = np.array(value["scores"] if "scores" in value else value["score"], np.float64).reshape(-1)
        if len(boxes) != len(scores):
            raise ValueError(f"{len(scores)} scores for {len(boxes)} crops")
        return _Value(boxes, scores)
    boxes = np.array(value, np.float64)
    if boxes.shape == (4,):
        x, y, width, height = boxes
        return _Value(np.array([[x, y, x + width, y + height]]), None)
    return _Value(boxes.reshape(-1, 4), None)


def _person(human: object, place: str, problems: Problems) -> np.ndarray | None:
    if human is None:
        return None
    try:
        box = np.array(human["bbox"] if isinstance(human, dict) else human, np.float64).reshape(4)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        problems.add(f"{place} ({_HUMANS})", f"not a box of a person ({error})")
        return None
    if fault := box_fault(box.tolist()):
        problems.add(f"{place} ({_HUMANS})", f"box of the person: {fault}")
        return None
    return box


def _read_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise AnnotationError(f"{file}: not a JSON file ({error}); download it again") from error
    if not isinstance(value, dict):
        raise AnnotationError(f"{file}: not a JSON object that maps photo names to crops; download it again")
    return value


def _read_splits(root: Path, names: list[str], problems: Problems) -> dict[str, list[str]]:
    """Names of each split, in the order of the file that lists them; under "" those that are in none."""
    file = next((root / name for name in _SPLIT_FILES if (root / name).is_file()), None)
    if file is None:
        return {"test": names}
    value = _read_object(file)
    members: dict[str, list[str]] = {}
    for part in HCICFormat.splits:
        listed = value.get(part, [])
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise AnnotationError(f"{file}: {part!r} is not a list of names; download it again")
        members[part] = listed
    for name in sorted(set(members["train"]) & set(members["test"])):
        problems.add(f"{file} ({name!r})", "photo listed in train and in test")
    listed = set(members["train"]) | set(members["test"])
    return members | {"": [name for name in names if name not in listed]}
