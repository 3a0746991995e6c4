"""ICDB: the Image Cropping Database of the Chinese University of Hong Kong (Yan et al. 2013)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_text
from procrop.io.photo import PHOTO_SUFFIXES

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from .base import CropFormat, box_fault
from .losses import note_losses
from .names import one_each
from .text import numbered_lines, row_numbers

_FILE = "Cropping parameters.txt"
_PHOTOGRAPHERS = ("photographer1", "photographer2", "photographer3")
_NOT_NUMBERS = "not 4 numbers 'y1 y2 x1 x2'"


@dataclass
class _Entry:
    """A photo's lines: its header, and behind it what should be one crop of each photographer."""

    line: int
    header: str
    rows: list[tuple[int, str]] = field(default_factory=list)


class ICDBFormat(CropFormat):
    """``All_Images/<name>`` and one text file of four lines a photo.

    The first is ``<category>\\<name>``, then comes a crop of each of three photographers as ``y1 y2 x1 x2`` in pixels.
    The crops have no scores. What is published of the file was established from the public readers of it, which agree
    in this order; whether its coordinates count from 0 or from 1 is nowhere stated, and they are taken as they are.
    Figures on this database are given for each photographer apart: the splits are the three of them, and without a
    split a record holds all three crops. The category becomes the record's tag.
    """

    name = "icdb"
    title = "ICDB"
    splits = _PHOTOGRAPHERS
    carries = frozenset({"tags"})
    layout = f"{{root}}/{_FILE}\n{{root}}/All_Images/<name>.jpg"
    source = (
        "It is published with Yan et al., 'Learning the Change for Automatic Image Cropping' (CVPR 2013), as "
        "cuhk_cropping.zip; unpack the All_Images.zip in it, too."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        file = root / _FILE
        if not file.is_file():
            raise self.not_found(root, f"{file.name} is missing")
        wanted = range(3) if split is None else [_PHOTOGRAPHERS.index(split)]
        records = []
        for entry in _entries(file, problems):
            record = _record(entry, file, wanted, problems)
            if record is not None:
                records.append(record)
        return root / "All_Images", records

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"All_Images/{record.photo}"}

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        if split is not None:
            raise ValueError(
                f"ICDB's one file holds all photographers: it cannot be written as {split!r} alone"
            )
        note_losses(self, records.records, problems)
        text = []
        for _, record in one_each(records.records, lambda r: r.photo, self.title, problems):
            if len(record.boxes) < 3:
                problems.add(record.img_id, "ICDB needs three crops a photo; the photo is left out")
                continue
            if len(record.boxes) > 3:
                problems.add(
                    record.img_id, "ICDB has place for three crops a photo; the best, or first, are kept"
                )
            category = record.tags[0] if record.tags else "photo"
            text.append(f"{category}\\{record.photo}")
            text += [" ".join(f"{value:.10g}" for value in box) for box in _three(record)[:, [1, 3, 0, 2]]]
        (root / "All_Images").mkdir(parents=True, exist_ok=True)
        write_text(root / _FILE, "".join(f"{line}\n" for line in text))


def _three(record: CropRecord) -> np.ndarray:
    """(3, 4): the crops that are written, in the order of the record; of more than three the best."""
    if record.scores is None or len(record.boxes) == 3:
        return record.boxes[:3]
    return record.boxes[np.sort(np.argsort(-record.scores, kind="stable")[:3])]


def _entries(file: Path, problems: Problems) -> Iterator[_Entry]:
    """Group the lines: one that ends like a photo's name begins a new entry; blank ones do no harm."""
    entry = None
    for number, line in numbered_lines(file):
        line = line.strip()
        if line.lower().endswith(PHOTO_SUFFIXES):
            if entry is not None:
                yield entry
            entry = _Entry(number, line)
        elif line and entry is not None:
            entry.rows.append((number, line))
        elif line:
            problems.add(file, "line before the first photo's name", number)
    if entry is not None:
        yield entry


def _record(entry: _Entry, file: Path, wanted: "range | list[int]", problems: Problems) -> CropRecord | None:
    *folders, name = entry.header.split("\\")
    if fault := name_fault(name):
        problems.add(file, fault, entry.line)
        return None
    if len(entry.rows) != 3:
        # which of the photographers is missing cannot be told
        problems.add(
            file, f"{len(entry.rows)} crops in place of one by each of three photographers", entry.line
        )
        return None
    boxes = []
    for place in wanted:
        line, text = entry.rows[place]
        box = _box(text)
        fault = _NOT_NUMBERS if box is None else box_fault(box)
        if fault:
            problems.add(file, fault, line)
        else:
            boxes.append(box)
    if not boxes:
        return None
    return CropRecord(
        img_id=Path(name).stem,
        photo=name,
        boxes=np.array(boxes),
        tags=tuple(folders[-1:]),
    )


def _box(text: str) -> tuple[float, float, float, float] | None:
    """``y1 y2 x1 x2``, parted by blanks, tabs or commas, as x1, y1, x2, y2."""
    numbers = row_numbers(text.replace(",", " "), (4,))
    if numbers is None:
        return None
    y1, y2, x1, x2 = numbers
    return x1, y1, x2, y2
