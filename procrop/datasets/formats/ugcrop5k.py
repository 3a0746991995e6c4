"""UGCrop5K: 5,000 photos by users with up to 90 scored crops each (Su et al. 2024)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_text
from procrop.io.photo import PHOTO_SUFFIXES

from ..paths import name_fault
from ..problems import Problems
from ..records import CropRecord, CropSet
from .base import CropFormat, box_fault
from .losses import note_losses
from .text import numbered_lines, row_numbers

_UNSCORED, _HIGHEST = -2.0, 5.0


class UGCrop5KFormat(CropFormat):
    """GAICD's layout: ``images/{train,val,test}/<id>.jpg``, and ``annotations/`` with a text file a photo.

    The files of UGCrop5K have not been published: the page suyukun666/S2CNet of its authors links GAICD alone, and
    requests for the dataset are open there. What is known is the authors' reader of GAICD, which they published: it
    takes ``annotations/<id>.txt`` with lines ``y1 x1 y2 x2 MOS`` in pixels, passes over MOS -2, and finds the photos in
    a folder for each split. This reader takes that layout, and a folder of annotations for each split too. The names
    of its splits, and how many photos each has, are unknown; without a split, everything below ``annotations/`` is
    read. A list ``splits/<split>.txt`` of ids, one a line, says what a split holds; without it, the photos of the
    split's folder do.
    """

    name = "ugcrop5k"
    title = "UGCrop5K"
    splits = ("train", "val", "test")
    carries = frozenset({"scores"})
    needs_scores = True
    layout = (
        "{root}/images/{{train,val,test}}/<id>.jpg\n"
        "{root}/annotations/<id>.txt or {root}/annotations/{{train,val,test}}/<id>.txt\n"
        "{root}/splits/{{train,val,test}}.txt (optional)"
    )
    source = (
        "It is described in Su et al., 'Spatial-Semantic Collaborative Cropping for User Generated Content' (AAAI "
        "2024), and not published yet; files in GAICD's layout are read."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        if not (root / "annotations").is_dir():
            raise self.not_found(root, "the folder annotations is missing")
        photos = {part: _photo_names(root / "images" / part) for part in self.splits}
        records, seen = [], set()
        for part in self.splits if split is None else (split,):
            for img_id, place in _ids(root, part, photos[part]):
                seen.add(img_id)
                name = photos[part].get(img_id, f"{img_id}.jpg")
                files = [root / "annotations" / where / f"{img_id}.txt" for where in (part, "")]
                file = next((file for file in files if file.is_file()), None)
                if fault := name_fault(img_id) or ("annotation missing" if file is None else None):
                    problems.add(place, fault)
                else:
                    records += _record(file, img_id, f"{part}/{name}", problems)
        if split is None:
            for file in sorted((root / "annotations").rglob("*.txt")):
                if file.stem not in seen:
                    part = file.parent.name if file.parent.name in self.splits else "train"
                    records += _record(file, file.stem, f"{part}/{file.stem}.jpg", problems)
        return root / "images", records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        part = split or "train"
        names: dict[str, None] = {}
        for record in records.records:
            name = _flat(record.img_id)
            if name in names:
                problems.add(record.img_id, "UGCrop5K would give two records one name; the later is left out")
                continue
            names[name] = None
            scores = np.full(len(record.boxes), _HIGHEST) if record.scores is None else record.scores
            if (scores < 0).any() or (scores > _HIGHEST).any():
                problems.add(record.img_id, "UGCrop5K has scores from 0 to 5; others are clipped")
            rows = np.column_stack([record.boxes[:, [1, 0, 3, 2]], np.clip(scores, 0, _HIGHEST)])
            lines = (" ".join(f"{value:.12g}" for value in row) for row in rows)
            write_text(root / "annotations" / f"{name}.txt", "".join(f"{line}\n" for line in lines))
        (root / "images" / part).mkdir(parents=True, exist_ok=True)
        write_text(root / "splits" / f"{part}.txt", "".join(f"{name}\n" for name in names))

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"images/{split or 'train'}/{_flat(record.img_id)}{Path(record.photo).suffix}"}


def _flat(img_id: str) -> str:
    return img_id.replace("/", "_").replace("\\", "_")


def _photo_names(folder: Path) -> dict[str, str]:
    """File name of each photo of a folder, by its id."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.stem: file.name for file in files if file.suffix.lower() in PHOTO_SUFFIXES}


def _ids(root: Path, split: str, photos: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(id, the place that names it) of each photo of a split."""
    file = root / "splits" / f"{split}.txt"
    if not file.is_file():
        yield from ((img_id, str(root / "images" / split / name)) for img_id, name in photos.items())
        return
    for number, line in numbered_lines(file):
        path = Path(line.strip())
        if line.strip():
            img_id = str(path.with_suffix("")) if path.suffix.lower() in PHOTO_SUFFIXES else line.strip()
            yield img_id, f"{file}:{number}"


def _record(file: Path, img_id: str, photo: str, problems: Problems) -> list[CropRecord]:
    """The record of an annotation file, or none; bad lines are reported and left out."""
    boxes, scores, before = [], [], len(problems)
    for number, line in numbered_lines(file):
        if not line.strip():
            continue
        values = row_numbers(line, (5,))
        fault = "not 5 numbers 'y1 x1 y2 x2 MOS'" if values is None else _fault(values)
        if fault:
            problems.add(file, fault, number)
        elif values[4] != _UNSCORED:
            y1, x1, y2, x2, score = values
            boxes.append((x1, y1, x2, y2))
            scores.append(score)
    if not boxes:
        if len(problems) == before:
            problems.add(file, "no scored crop in the file", 1)
        return []
    return [CropRecord(img_id, photo, np.array(boxes), np.array(scores))]


def _fault(values: list[float]) -> str | None:
    y1, x1, y2, x2, score = values
    if score == _UNSCORED:
        return None
    fault = box_fault((x1, y1, x2, y2))
    return fault or (
        None if 0 <= score <= _HIGHEST else "MOS outside 0 to 5 (-2 marks a crop without a score)"
    )
