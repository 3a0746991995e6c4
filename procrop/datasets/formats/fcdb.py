"""FCDB, the Flickr Cropping Dataset: one crop a photo (Chen et al. 2017)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

import numpy as np

from procrop.io.atomic import write_many

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from ..splits import by_split
from .base import CropFormat, box_fault
from .json_values import numbers, read_json
from .losses import note_losses
from .names import flat_photo, one_each, without_suffix
from .text import encoded, plain_numbers

_FILES = {"train": "cropping_training_set.json", "test": "cropping_testing_set.json"}
_ID = "flickr_photo_id"
_KEPT = ("url", _ID)


class FCDBFormat(CropFormat):
    """``cropping_training_set.json``, ``cropping_testing_set.json`` and ``images/<last part of the URL>``.

    Each file is a list of objects: ``url``, ``flickr_photo_id`` and ``crop``, [x, y, width, height] in pixels of the
    photo at that address. A crop has no score. The photos come from Flickr one by one, and many are gone; that is no
    fault of the annotation. A record's ``extra`` has ``url`` and ``flickr_photo_id`` as in the file. Without a split,
    those of the two files are read that are there.

    Written are the records' own addresses where they name the photo, otherwise the photo's name alone; of several
    crops the best, or without scores the first; and records of another split, or of none, among those of train.
    """

    name = "fcdb"
    title = "FCDB"
    splits = ("train", "test")
    layout = (
        "{root}/cropping_training_set.json\n"
        "{root}/cropping_testing_set.json\n"
        "{root}/images/<last part of the URL> (those that can still be had)"
    )
    source = "The two files are in the GitHub repository yiling-chen/flickr-cropping-dataset."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        files = {own: root / _FILES[own] for own in ((split,) if split else self.splits)}
        there = {own: file for own, file in files.items() if file.is_file()}
        if not there:
            raise self.not_found(root, f"{' and '.join(file.name for file in files.values())} missing")
        records = [
            record
            for own, file in there.items()
            for number, entry in enumerate(_entries(file, problems), start=1)
            for record in _record(entry, f"{file} (entry {number})", own, problems)
        ]
        return root / "images", records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, map(_without_kept, records.records), problems)
        named = one_each(records.records, flat_photo, self.title, problems)
        groups = by_split([r for _, r in named if _has_crop(r, problems)], split, self.splits)
        homeless = groups.pop(None, [])
        for record in homeless:
            problems.add(record.img_id, "FCDB has no other splits than train and test; written to train")
        if homeless:
            groups["train"] = groups.get("train", []) + homeless
        write_many((root / _FILES[own], _file(group, problems)) for own, group in groups.items())


def _file(records: list[CropRecord], problems: Problems) -> bytes:
    entries = [_entry(record, problems) for record in records]
    return encoded(json.dumps(entries, indent=1, allow_nan=False) + "\n")


def _entries(file: Path, problems: Problems) -> list:
    try:
        content = read_json(file)
    except ValueError as error:
        problems.add(file, str(error))
        return []
    if not isinstance(content, list):
        problems.add(file, "not a list of objects with 'url' and 'crop'")
        return []
    return content


def _record(entry: object, place: str, split: str, problems: Problems) -> list[CropRecord]:
    """The record of an entry, or none."""
    if not isinstance(entry, dict):
        problems.add(place, "not an object with 'url' and 'crop'")
        return []
    photo = _photo_name(entry.get("url"))
    crop = numbers(entry.get("crop"), 4)
    if fault := name_fault(photo):
        problems.add(place, fault)
    elif crop is None:
        problems.add(place, "'crop' is not 4 numbers [x, y, width, height]")
    else:
        x, y, width, height = crop
        box = (x, y, x + width, y + height)
        if fault := box_fault(box):
            problems.add(f"{place}, {photo}", fault)
        else:
            extra = {key: entry[key] for key in _KEPT if key in entry} | {"split": split}
            return [CropRecord(without_suffix(photo), photo, [box], extra=extra)]
    return []


def _photo_name(url: object) -> str | None:
    """The file name that a photo at this address has on the disk."""
    try:
        path = urlsplit(url).path if isinstance(url, str) else ""
    except ValueError:
        return None
    return unquote(PurePosixPath(path).name, errors="surrogateescape")


def _without_kept(record: CropRecord) -> CropRecord:
    """The record without those further fields that are written."""
    return replace(record, extra={key: value for key, value in record.extra.items() if key not in _KEPT})


def _has_crop(record: CropRecord, problems: Problems) -> bool:
    if not len(record.boxes):
        problems.add(record.img_id, "no crop; the record is left out")
    return bool(len(record.boxes))


def _entry(record: CropRecord, problems: Problems) -> dict[str, object]:
    if len(record.boxes) > 1:
        problems.add(record.img_id, "FCDB has place for one crop a photo; the others are left out")
    best = 0 if record.scores is None else int(np.argmax(record.scores))
    x1, y1, x2, y2 = record.boxes[best]
    entry = {"url": _url(record.extra, flat_photo(record))}
    if _ID in record.extra:
        entry[_ID] = record.extra[_ID]
    return entry | {"crop": plain_numbers(np.array([x1, y1, x2 - x1, y2 - y1]))}


def _url(extra: Mapping[str, object], name: str) -> str:
    """The record's own address if it leads to this name on the disk, otherwise the name as one."""
    url = extra.get("url")
    return url if isinstance(url, str) and _photo_name(url) == name else quote(name, errors="surrogateescape")
