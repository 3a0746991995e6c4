"""FLMS: 500 photos with up to ten crops each by different annotators (Fang et al. 2014)."""

import io
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from .base import CropFormat, sound_boxes
from .losses import note_losses
from .names import flat_photo, one_each, without_suffix

_ROWS = 10
_FIELDS = ("filename", "bbox")


class FLMSFormat(CropFormat):
    """``image/<name>`` and one MATLAB file.

    Its variable ``img_gt`` is a struct array: a file name, and a 10 x 4 array of crops as (y1, x1, y2, x2) pixels, with
    unused rows of -1. The crops have no scores. It is a test set, without splits. Two rows of the release have
    their corners exchanged; they have no area and are reported.
    """

    name = "flms"
    title = "FLMS"
    layout = "{root}/500_image_dataset.mat\n{root}/image/<name>.jpg"
    source = (
        "It is published with Fang et al., 'Automatic Image Cropping using Visual Composition' (ACM MM 2014)."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        file = root / "500_image_dataset.mat"
        if not file.is_file():
            raise self.not_found(root, f"{file.name} is missing")
        records = []
        for number, (name, rows) in enumerate(_entries(file, problems), start=1):
            place = f"{file} (entry {number})"
            if fault := name_fault(name):
                problems.add(place, fault)
                continue
            boxes = rows[~(rows == -1).all(axis=1)][:, [1, 0, 3, 2]]
            boxes = boxes[sound_boxes(boxes, f"{place}, {name}", problems)]
            if len(boxes):
                records.append(CropRecord(without_suffix(name), name, boxes))
            else:
                problems.add(place, "no usable crop")
        return root / "image", records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        from scipy.io import savemat

        note_losses(self, records.records, problems)
        named = [
            (name, record)
            for name, record in one_each(records.records, flat_photo, self.title, problems)
            if _can_hold(name, record, problems)
        ]
        entries = np.zeros((len(named), 1), dtype=[(field, object) for field in _FIELDS])
        for row, (name, record) in zip(entries[:, 0], named, strict=True):
            table = np.full((_ROWS, 4), -1.0)
            kept = record.boxes[:_ROWS, [1, 0, 3, 2]]
            table[: len(kept)] = kept
            row["filename"], row["bbox"] = name, table
        buffer = io.BytesIO()
        savemat(buffer, {"img_gt": entries})
        write_bytes(root / "500_image_dataset.mat", buffer.getvalue())

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"image/{flat_photo(record)}"}


def _can_hold(name: str, record: CropRecord, problems: Problems) -> bool:
    """Whether the record can be written; reports what cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        problems.add(record.img_id, "FLMS has no place for names that are not UTF-8; the record is left out")
        return False
    if len(record.boxes) > _ROWS:
        problems.add(record.img_id, f"FLMS has place for {_ROWS} crops a photo; the others are left out")
    return True


def _entries(file: Path, problems: Problems) -> list[tuple[object, np.ndarray]]:
    """(file name, (rows, 4) float64 y1 x1 y2 x2) of each entry."""
    from scipy.io import loadmat

    try:
        table = loadmat(file)["img_gt"].ravel()
    except Exception as error:  # a damaged file fails in any of a dozen ways
        problems.add(file, f"not a MATLAB file with a variable img_gt ({error})")
        return []
    entries = []
    for number, entry in enumerate(table, start=1):
        try:
            name = str(np.asarray(entry[0]).item())
            entries.append((name, np.asarray(entry[1], np.float64).reshape(-1, 4)))
        except (IndexError, TypeError, ValueError) as error:
            problems.add(f"{file} (entry {number})", f"not a file name and n x 4 numbers ({error})")
    return entries
