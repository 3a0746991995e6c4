"""FCDB, the Flickr Cropping Dataset: one crop a photo (Chen et al. 2017)."""

import json
from pathlib import Path
from posixpath import basename
from urllib.parse import urlsplit

import numpy as np

from procrop.io.atomic import write_bytes

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


class FCDBFormat(CropFormat):
    """``cropping_training_set.json`` and ``cropping_testing_set.json``, with the photos in ``images/``.

    An entry has ``url``, ``flickr_photo_id`` and ``crop`` = (x, y, width, height) in pixels of the picture at that
    address; the file is named as the address ends. Many of the photos are gone. The ranking pairs and sliding windows
    that the repository holds beside these files are not read.
    """

    name = "fcdb"
    title = "FCDB"
    splits = ("train", "test")
    layout = (
        "{root}/cropping_training_set.json\n{root}/cropping_testing_set.json\n{root}/images/<end of the url>"
    )
    source = (
        "The annotations are in the GitHub repository yiling-chen/flickr-cropping-dataset; the photos are at the "
        "addresses\nthat they name."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        wanted = [split] if split else list(_FILES)
        files = {name: root / _FILES[name] for name in wanted if (root / _FILES[name]).is_file()}
        if not files:
            raise self.not_found(root, f"{_FILES[wanted[0]]} is missing")
        return root / "images", [r for name, file in files.items() for r in _records(file, name, problems)]

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        groups: dict[str, list[CropRecord]] = {}
        for name, group in by_split(records.records, split, self.splits).items():
            groups.setdefault(name or "test", []).extend(group)
        for name, group in groups.items():
            entries = []
            for photo, record in one_each(group, flat_photo, self.title, problems):
                if len(record.boxes) > 1:
                    problems.add(
                        record.img_id, "FCDB has one crop a photo; the best, or the first, is written"
                    )
                best = 0 if record.scores is None else int(np.argmax(record.scores))
                x1, y1, x2, y2 = plain_numbers(record.boxes[best])
                crop = [x1, y1, x2 - x1, y2 - y1]
                photo_id = record.extra.get("flickr_photo_id", 0)
                entries.append({"url": f"images/{photo}", "flickr_photo_id": photo_id, "crop": crop})
            write_bytes(root / _FILES[name], encoded(json.dumps(entries, indent=0, allow_nan=False)))
        (root / "images").mkdir(parents=True, exist_ok=True)


def _records(file: Path, split: str, problems: Problems) -> list[CropRecord]:
    try:
        entries = read_json(file)
    except ValueError as error:
        problems.add(file, str(error))
        return []
    if not isinstance(entries, list):
        problems.add(file, "not a list of entries")
        return []
    records = []
    for number, entry in enumerate(entries, start=1):
        place = f"{file} (entry {number})"
        url = entry.get("url") if isinstance(entry, dict) else None
        crop = numbers(entry.get("crop"), 4) if isinstance(entry, dict) else None
        name = basename(urlsplit(url).path) if isinstance(url, str) else ""
        if crop is None or not name:
            problems.add(place, "not an entry with 'url' and 'crop' [x, y, width, height]")
            continue
        x, y, width, height = crop
        box = (x, y, x + width, y + height)
        if fault := name_fault(name) or box_fault(box):
            problems.add(f"{place}, {name}", fault)
            continue
        extra = {"split": split, "url": url, "flickr_photo_id": entry.get("flickr_photo_id")}
        records.append(CropRecord(without_suffix(name), name, np.array([box]), extra=extra))
    return records
