"""GAICD, the grid-anchor based cropping dataset, versions 1 (2019) and 2 (2020)."""

import math
from pathlib import Path
from typing import ClassVar

import numpy as np

from procrop.io import PhotoError
from procrop.io.atomic import write_many
from procrop.io.photo import read_photo_size

from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord, CropSet
from ..splits import by_split, own_split, write_splits
from .base import NO_NUMBER, CropFormat, box_fault, sound_boxes
from .gaic_folder import SOURCE, GAICFolder
from .losses import note_losses
from .names import flat_name, flat_photo, one_each
from .text import encoded, numbered_lines, plain_numbers, row_numbers, row_text

_UNSCORED = -2.0
_HIGHEST = 5.0


def parse_gaic_annotation(path: str | Path, strict: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Read one annotation file: lines ``y1 x1 y2 x2 MOS`` in pixels of the photo.

    Lines with MOS -2 (never scored) and blank lines are passed over; a byte order mark and CRLF do no harm.

    Args:
        path: the file.
        strict: raise for a line that cannot be used, instead of leaving it out.

    Returns:
        The scored crops in file order: boxes (n, 4) float32 xyxy pixels, scores (n,) float32.

    Raises:
        AnnotationError: the file cannot be read; or, when ``strict``, a line cannot be used or no crop is scored.
    """
    problems = Problems()
    boxes, scores = _read_annotation(Path(path), problems)
    if strict:
        problems.raise_if_any()
    return boxes.astype(np.float32), scores.astype(np.float32)


class GAICFormat(CropFormat):
    """GAICD: up to 90 grid crops a photo, scored by several annotators. :class:`GAICFolder` says where files lie.

    An annotation file has lines ``y1 x1 y2 x2 MOS`` in pixels of the photo; MOS -2 marks a crop that was not scored,
    and version 2 has MOS below 1. Without a split, all splits are read that can be told, then the flat annotation
    files that belong to none. Written are flat ``annotations/<id>.txt`` and, of a split, the list of its ids.

    Args:
        split_file: File of ids to use instead of ``splits/{split}.txt``, relative to the root.
        need_photos: Report photos that are not there.
        check_sizes: Compare crops with those photos that are there (reads the header of each).
    """

    version: ClassVar[str]
    splits = ("train", "val", "test")
    carries = frozenset({"scores"})
    needs_scores = True
    layout = (
        "{root}/images/{{train,val,test}}/<id>.jpg\n"
        "{root}/annotations/{{train,val,test}}/<id>.txt or {root}/annotations/<id>.txt\n"
        "{root}/splits/{{train,val,test}}.txt (optional)"
    )
    source = SOURCE

    def __init__(
        self, split_file: str | None = None, need_photos: bool = False, check_sizes: bool = False
    ) -> None:
        self.split_file, self.need_photos, self.check_sizes = split_file, need_photos, check_sizes

    def folder(self, root: Path, split: str) -> GAICFolder:
        """The split's files."""
        return GAICFolder(root, split, self.version, self.need_photos, self.split_file)

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        folders = [self.folder(root, name) for name in ([split] if split else self.splits)]
        if split:
            folders[0].check()
        elif not (root / "annotations").is_dir():
            raise self.not_found(root, "there is no folder 'annotations'")
        photos = root / "images"
        if self.need_photos and split and not folders[0].photos:
            raise folders[0].not_found(f"no photo in {photos / split}")
        seen: set[str] = set()
        records = [
            record
            for folder in folders
            if folder.has_ids()
            for img_id, place in folder.ids(problems)
            for record in self._record(folder, img_id, place, seen, problems)
        ]
        if not split:
            for file in sorted((root / "annotations").glob("*.txt")):
                if (img_id := file.name.removesuffix(".txt")) not in seen:
                    records += self._record(folders[0], img_id, str(file), seen, problems, listed=False)
        return photos, records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = list(one_each(records.records, _id, self.title, problems))
        folder = root / "annotations"
        write_many((folder / f"{name}.txt", _annotation(record, problems)) for name, record in named)
        groups = by_split([record for _, record in named], split, self.splits)
        write_splits(root, {name: list(map(_id, group)) for name, group in groups.items() if name})

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        split = split or own_split(record, self.splits) or "train"
        return {record.photo: f"images/{split}/{flat_photo(record)}"}

    def _record(
        self,
        folder: GAICFolder,
        img_id: str,
        place: str,
        seen: set[str],
        problems: Problems,
        listed: bool = True,
    ) -> list[CropRecord]:
        """The record of an id, or none; ``listed`` says that it belongs to the folder's split."""
        seen.add(img_id)
        photo = folder.photo(img_id, place, problems)
        file = folder.annotation(img_id, place, problems)
        if not (photo and file):
            return []
        boxes, scores = _read_annotation(file, problems)
        path = folder.root / "images" / photo
        size = None
        if self.check_sizes and path.is_file():
            try:
                size = read_photo_size(path)
            except PhotoError as error:
                problems.add(path, error.reason)
                return []
            sound = sound_boxes(boxes, str(file), problems, size)
            boxes, scores = boxes[sound], scores[sound]
        extra = {"split": folder.split} if listed else {}
        return [CropRecord(img_id, photo, boxes, scores, size=size, extra=extra)] if len(boxes) else []


class GAICv1Format(GAICFormat):
    """Version 1: 1,036 training and 200 test photos; validation photos, if any, are named by ``splits/val.txt``."""

    name = "gaicv1"
    title = "GAICD v1"
    version = "v1"


class GAICv2Format(GAICFormat):
    """Version 2: 2,636 training, 200 validation and 500 test photos."""

    name = "gaicv2"
    title = "GAICD v2"
    version = "v2"


def _id(record: CropRecord) -> str:
    return flat_name(record.img_id)


def _annotation(record: CropRecord, problems: Problems) -> bytes:
    scores = np.full(len(record.boxes), UNSCORED_MOS) if record.scores is None else record.scores
    clipped = np.clip(scores, 0, _HIGHEST)
    if not np.array_equal(clipped, scores):
        problems.add(record.img_id, "GAICD has scores from 0 to 5; others are clipped")
    rows = zip(plain_numbers(record.boxes[:, [1, 0, 3, 2]]), plain_numbers(clipped), strict=True)
    return encoded("".join(f"{row_text([*box, score])}\n" for box, score in rows))


def _read_annotation(path: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Scored crops of a file in file order: (n, 4) and (n,) float64."""
    boxes, scores, faults = [], [], len(problems)
    for number, line in numbered_lines(path):
        values = row_numbers(line, (5,))
        if values is None:
            if line.strip():
                problems.add(path, "not 5 numbers 'y1 x1 y2 x2 MOS'", number)
            continue
        y1, x1, y2, x2, score = values
        if reason := _fault((x1, y1, x2, y2), score):
            problems.add(path, reason, number)
        elif score != _UNSCORED:
            boxes.append((x1, y1, x2, y2))
            scores.append(score)
    if not boxes and len(problems) == faults:
        problems.add(path, "no scored crop in the file", 1)
    return np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64)


def _fault(box: tuple[float, ...], score: float) -> str | None:
    """Say what is wrong with one row, if anything is."""
    fault = box_fault(box) if math.isfinite(score) else NO_NUMBER
    if score == _UNSCORED and fault != NO_NUMBER:
        return None  # the crop was never shown, whatever its corners
    return fault or (
        None if 0 <= score <= _HIGHEST else "MOS outside 0 to 5 (-2 marks a crop that was not scored)"
    )
