"""SACD: photos whose crops are for one of their subjects (Yang et al. 2023)."""

import json
from pathlib import Path, PurePosixPath

import numpy as np

from procrop.io.atomic import write_many

from ..errors import AnnotationError
from ..paths import link_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import own_split
from .base import CropFormat, box_fault, sound_boxes
from .gaic_folder import photos_by_id
from .json_values import number_rows, numbers, parse_json, read_json
from .losses import note_losses
from .names import numbered, one_each, split_number
from .text import encoded, plain_numbers


class SACDFormat(CropFormat):
    """``annotations/<base>_<k>.json``, one for each subject k of the photo ``images/<base>.jpg``.

    ``mask_box`` is a JSON text that holds the subject's (x, y, width, height); ``best_box`` a list of crops
    (x1, y1, x2, y2), of which the first counts; ``crop_box`` a list of further good ones; all pixels. The crops have no
    scores; the best one comes first. ``masks/<base>_<k>.jpg`` is the subject above a grey value of 127. ``test.json``
    names the annotations of the test split under ``jsons``, and of each path its last part counts; all others are for
    training. Without that file there are no splits. A record is a photo and one of its subjects, the unit of this
    dataset's evaluation.
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
        for name in sorted(test - set(present)) if test and split != "train" else ():
            problems.add(f"{root / 'test.json'} ({name!r})", "annotation missing")
        photos, masks = (
            photos_by_id([root / kind] if (root / kind).is_dir() else []) for kind in ("images", "masks")
        )
        records = []
        for name in present:
            own = None if test is None else "test" if name in test else "train"
            if split not in (None, own):
                continue
            file = folder / f"{name}.json"
            if fault := link_fault(file, root):
                problems.add(file, f"annotation is a {fault}")
                continue
            mask = f"masks/{masks[name][0].name}" if name in masks else None
            records += _record(file, {"split": own} if own else {}, photos, mask, problems)
        return root, records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = list(one_each(records.records, _name, self.title, problems))
        files = [(root / f"annotations/{name}.json", _annotation(record)) for name, record in named]
        splits = {name: split or own_split(record, self.splits) for name, record in named}
        if any(splits.values()):
            # what is in neither must not be trained on
            for record in (record for name, record in named if splits[name] is None):
                problems.add(record.img_id, "SACD has the splits train and test alone; others become test")
            test = [f"annotations/{name}.json" for name, own in splits.items() if own != "train"]
            files.append((root / "test.json", encoded(json.dumps({"jsons": test}))))
        write_many(files)

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        name = _name(record)
        base = name.rpartition("_")[0]
        found = {record.photo: f"images/{base}{PurePosixPath(record.photo).suffix}"}
        return found | (
            {record.mask: f"masks/{name}{PurePosixPath(record.mask).suffix}"} if record.mask else {}
        )

    def _test_names(self, root: Path, split: str | None, problems: Problems) -> set[str] | None:
        """Names of the test split's annotations; None where nothing tells the splits apart.

        Raises:
            AnnotationError: A split is asked for and its list cannot be used, also in lenient reading: photos for
                testing would be trained on.
        """
        file = root / "test.json"
        if not file.is_file():
            if split:
                raise self.not_found(root, "test.json, which tells the splits apart, is missing")
            return None
        try:
            content = read_json(file)
            listed = content.get("jsons") if isinstance(content, dict) else None
            if not isinstance(listed, list) or not all(isinstance(path, str) for path in listed):
                raise ValueError("not an object with a list of paths under 'jsons'")
        except ValueError as error:
            if split:
                raise AnnotationError(
                    f"{file}: {error}; restore it, for it tells the splits apart"
                ) from error
            problems.add(file, str(error))
            return None
        names = set()
        for number, path in enumerate(listed, start=1):
            name = PurePosixPath(path.replace("\\", "/")).name.removesuffix(".json")
            if not name or name in names:
                reason = "annotation listed twice" if name else "no file name"
                problems.add(f"{file} (path {number})", reason)
            else:
                names.add(name)
        return names


def _record(
    file: Path, extra: dict, photos: dict[str, list[Path]], mask: str | None, problems: Problems
) -> list[CropRecord]:
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
    found = photos.get(base, [])
    if len(found) > 1:
        problems.add(found[0], f"photo present twice, as {found[1].suffix} too")
        return []
    photo = f"images/{found[0].name if found else f'{base}.jpg'}"
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


def _annotation(record: CropRecord) -> bytes:
    boxes = record.boxes
    if record.scores is not None:
        boxes = boxes[np.argsort(-record.scores, kind="stable")]
    content: dict[str, object] = {"best_box": plain_numbers(boxes[:1]), "crop_box": plain_numbers(boxes[1:])}
    if record.subject is not None:
        x1, y1, x2, y2 = plain_numbers(record.subject)
        content["mask_box"] = json.dumps([x1, y1, x2 - x1, y2 - y1])
    return encoded(json.dumps(content, allow_nan=False))
