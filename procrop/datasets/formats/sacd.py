"""SACD: photos whose crops are for one of their subjects (Yang et al. 2023)."""

import json
from pathlib import Path, PurePosixPath

import numpy as np

from procrop.io.atomic import write_many

from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import own_split
from .base import CropFormat, box_fault, sound_boxes
from .json_values import number_rows, numbers, parse_json, read_json
from .losses import note_losses
from .names import numbered, one_each, split_number
from .text import encoded, plain_numbers


class SACDFormat(CropFormat):
    """``annotations/<base>_<k>.json``, one for each subject k of the photo ``images/<base>.jpg``.

    ``mask_box`` is a JSON text that holds the subject's (x, y, width, height); ``best_box`` a list of crops
    (x1, y1, x2, y2), of which the first counts; ``crop_box`` a list of further good ones; all pixels. The crops have no
    scores; the best one comes first. ``masks/<base>_<k>.jpg`` is the subject above a grey value of 127. ``test.json``
    names the annotations of the test split under ``jsons``; all others are for training. A record is a photo and one of
    its subjects, the unit of this dataset's evaluation.
    """

    name = "sacd"
    title = "SACD"
    splits = ("train", "test")
    carries = frozenset({"source_id", "subject", "mask"})
    layout = (
        "{root}/images/<base>.jpg\n"
        "{root}/annotations/<base>_<k>.json\n"
        "{root}/masks/<base>_<k>.jpg\n"
        "{root}/test.json"
    )
    source = "It is published with Yang et al., 'Subject-aware image cropping' (SACD, 2023)."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        folder = root / "annotations"
        if not folder.is_dir():
            raise self.not_found(root, "there is no folder 'annotations'")
        present = sorted(file.name.removesuffix(".json") for file in folder.glob("*.json"))
        test = self._test_names(root, split, problems)
        for name in sorted(test - set(present)) if split != "train" else ():
            problems.add(f"{root / 'test.json'} ({name!r})", "annotation missing")
        photos = (
            {p.stem: p.name for p in sorted((root / "images").glob("*"))}
            if (root / "images").is_dir()
            else {}
        )
        records = []
        for name in present:
            own = "test" if name in test else "train"
            if split in (None, own):
                records += _record(folder / f"{name}.json", own, photos, problems)
        return root, records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = list(one_each(records.records, _name, self.title, problems))
        files = [(root / f"annotations/{name}.json", _annotation(r, problems)) for name, r in named]
        test = [
            f"annotations/{name}.json" for name, r in named if (split or own_split(r, self.splits)) != "train"
        ]
        write_many([*files, (root / "test.json", json.dumps({"jsons": test}).encode())])

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        name = _name(record)
        base = name.rpartition("_")[0]
        found = {record.photo: f"images/{base}{PurePosixPath(record.photo).suffix}"}
        return found | (
            {record.mask: f"masks/{name}{PurePosixPath(record.mask).suffix}"} if record.mask else {}
        )

    def _test_names(self, root: Path, split: str | None, problems: Problems) -> set[str]:
        """Names of the test split's annotations."""
        file = root / "test.json"
        if not file.is_file():
            if split:
                raise self.not_found(root, "test.json, which tells the splits apart, is missing")
            return set()
        try:
            content = read_json(file)
        except ValueError as error:
            problems.add(file, str(error))
            return set()
        listed = content.get("jsons") if isinstance(content, dict) else None
        if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
            problems.add(file, "not an object with a list of paths under 'jsons'")
            return set()
        return {PurePosixPath(path.replace("\\", "/")).name.removesuffix(".json") for path in listed}


def _record(file: Path, split: str, photos: dict[str, str], problems: Problems) -> list[CropRecord]:
    """The record of an annotation, or none."""
    try:
        content = read_json(file)
    except ValueError as error:
        problems.add(file, str(error))
        return []
    name = file.name.removesuffix(".json")
    parts = split_number(name)
    if not isinstance(content, dict) or parts is None:
        problems.add(file, "not an object in a file named <photo>_<number>.json")
        return []
    best, crops = number_rows(content.get("best_box"), 4), content.get("crop_box")
    further = number_rows(crops, 4) if crops else np.zeros((0, 4))
    if best is None or further is None:
        problems.add(file, "'best_box' and 'crop_box' are not lists of crops [x1, y1, x2, y2]")
        return []
    boxes = np.concatenate([best[:1], further])
    boxes = boxes[sound_boxes(boxes, str(file), problems)]
    subject = _subject(content.get("mask_box"), file, problems)
    if not len(boxes):
        return []
    base = parts[0]
    mask = f"masks/{name}.jpg" if (file.parents[1] / f"masks/{name}.jpg").is_file() else None
    photo = f"images/{photos.get(base, f'{base}.jpg')}"
    extra = {"split": split}
    return [CropRecord(name, photo, boxes, source_id=base, subject=subject, mask=mask, extra=extra)]


def _subject(text: object, file: Path, problems: Problems) -> np.ndarray | None:
    """(4,) xyxy of the subject; None where the file has none, or none that can be used."""
    if text is None:
        return None
    try:
        values = numbers(parse_json(text) if isinstance(text, str) else text, 4)
    except ValueError:
        values = None
    if values is None:
        problems.add(file, "'mask_box' is not [x, y, width, height]")
        return None
    x, y, width, height = values
    if fault := box_fault((x, y, x + width, y + height)):
        problems.add(file, f"subject: {fault}")
        return None
    return np.array([x, y, x + width, y + height])


def _name(record: CropRecord) -> str:
    return "_".join(numbered(record, record.source_id))


def _annotation(record: CropRecord, problems: Problems) -> bytes:
    boxes = record.boxes
    if record.scores is not None:
        boxes = boxes[np.argsort(-record.scores, kind="stable")]
    content: dict[str, object] = {"best_box": plain_numbers(boxes[:1]), "crop_box": plain_numbers(boxes[1:])}
    if record.subject is not None:
        x1, y1, x2, y2 = plain_numbers(record.subject)
        content["mask_box"] = json.dumps([x1, y1, x2 - x1, y2 - y1])
    return encoded(json.dumps(content, allow_nan=False))
