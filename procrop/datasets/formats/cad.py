"""CAD, crops for out-painted professional photos: this project's own layout, and the authors' text files."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from procrop.io.atomic import write_many

from ..errors import AnnotationError
from ..paths import link_fault
from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord, CropSet
from ..splits import own_split, read_split, seeded_split
from .base import NO_NUMBER, CropFormat, box_fault
from .gaic_folder import photos_by_id
from .jsonl import JSONLFormat
from .losses import further_fields, note_losses
from .names import numbered, one_each, split_number
from .text import encoded, numbered_lines, plain_numbers, row_numbers, row_text

_VAL_SHARE = 0.02


class CADFormat(JSONLFormat):
    """The generic format of :class:`JSONLFormat`, with ``source_id`` naming the professional photo.

    Photos of one source are never in two splits. ``splits/{train,val,test}.txt``, where one of them exists, name the
    sources of each split, one a line, and the lines' own ``split`` does not count; otherwise that holds. Where neither
    states a split, one is drawn with seed 0 over the sources (:func:`~procrop.datasets.splits.seeded_split`): 2 % of
    them, at least one, are for validation, the others for training, and none for testing.
    """

    name = "cad"
    title = "CAD"
    source = "It is generated from professional photos; the paper's own set is not published."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        photos, records = super().load(root, None, problems)
        files = {name: root / f"splits/{name}.txt" for name in self.splits}
        files = {name: file for name, file in files.items() if file.is_file()}
        if files:
            if split and split not in files:
                raise self.not_found(root, f"splits/{split}.txt is missing, and other split files are there")
            records = _by_source(records, _listed(files, {r.source_id for r in records}, problems))
        elif any(own_split(record, self.splits) for record in records):
            records = _one_side(records, root / "annotations.jsonl", problems)
        elif split == "test":
            raise self.not_found(root, "neither its lines nor splits/test.txt state a test split")
        else:
            records = _by_source(records, _drawn({record.source_id for record in records}))
        return photos, [r for r in records if split in (None, r.extra.get("split"))]

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        kept = records.records if split else _one_side(records.records, None, problems)
        super().save(replace(records, records=kept), root, split, problems)


def _listed(files: dict[str, Path], known: set[str], problems: Problems) -> dict[str, str]:
    """Source -> split, as the split files say."""
    found: dict[str, str] = {}
    for split, file in files.items():
        for place, source in read_split(file, problems):
            if source not in known:
                problems.add(f"{place} ({source!r})", "source without photos")
            elif source in found:
                problems.add(f"{place} ({source!r})", "source listed in two splits")
            else:
                found[source] = split
    return found


def _drawn(sources: set[str]) -> dict[str, str]:
    """Source -> split, by chance."""
    count = max(1, round(_VAL_SHARE * len(sources))) if len(sources) > 1 else 0
    val, train = seeded_split(sources, count)
    return dict.fromkeys(val, "val") | dict.fromkeys(train, "train")


def _by_source(records: list[CropRecord], splits: dict[str, str]) -> list[CropRecord]:
    """The records with the split of their source."""
    return [
        replace(record, extra=further_fields(record) | ({"split": own} if own else {}))
        for record, own in ((record, splits.get(record.source_id)) for record in records)
    ]


def _one_side(records: list[CropRecord], file: Path | None, problems: Problems) -> list[CropRecord]:
    """The records without those whose source an earlier one has put into another split."""
    sides: dict[str, object] = {}
    kept = []
    for record in records:
        own = own_split(record, CADFormat.splits)
        if own and sides.setdefault(record.source_id, own) != own:
            place = f"{file} ({record.img_id!r})" if file else record.img_id
            problems.add(place, "photos of one source in two splits")
        else:
            kept.append(record)
    return kept


class CADAuthorsFormat(CropFormat):
    """Text files as the authors' code reads them: flat ``images/`` and ``annotations/<name>.txt``.

    A photo's name is ``<source id>_<n>``, with any number of digits; a photo without ``_<n>`` is its own source. A line
    is ``x1 y1 x2 y2`` or ``x1 y1 x2 y2 score`` in pixels. A crop without a score counts as 5, as there. There are no
    splits.
    """

    name = "cad_authors"
    title = "CAD (text files)"
    carries = frozenset({"scores", "source_id"})
    needs_scores = True
    layout = "{root}/images/<source id>_<n>.jpg\n{root}/annotations/<source id>_<n>.txt"
    source = "The paper's own set is not published; tools/datasets.py convert writes this layout from others."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        folder = root / "annotations"
        if not folder.is_dir():
            raise self.not_found(root, "there is no folder 'annotations'")
        images = root / "images"
        photos = photos_by_id([images] if images.is_dir() else [])
        records = []
        for file in sorted(folder.glob("*.txt")):
            name = file.name.removesuffix(".txt")
            found = photos.get(name, [])
            if fault := link_fault(file, root):
                problems.add(file, f"annotation is a {fault}")
                continue
            if len(found) > 1:
                problems.add(found[0], f"photo present twice, as {found[1].suffix} too")
                continue
            boxes, scores = _rows(file, problems)
            if len(boxes):
                parts = split_number(name)
                source = parts[0] if parts else name
                photo = found[0].name if found else f"{name}.jpg"
                records.append(CropRecord(name, photo, boxes, scores, source_id=source))
        return images, records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = one_each(records.records, _name, self.title, problems)
        (root / "images").mkdir(parents=True, exist_ok=True)
        write_many((root / f"annotations/{name}.txt", _lines(record)) for name, record in named)

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        return {record.photo: f"images/{_name(record)}{PurePosixPath(record.photo).suffix}"}


def _name(record: CropRecord) -> str:
    return "_".join(numbered(record, record.source_id))


def _lines(record: CropRecord) -> bytes:
    scores = np.full(len(record.boxes), UNSCORED_MOS) if record.scores is None else record.scores
    rows = zip(plain_numbers(record.boxes), plain_numbers(scores), strict=True)
    return encoded("".join(f"{row_text([*box, score])}\n" for box, score in rows))


def _rows(file: Path, problems: Problems) -> tuple[np.ndarray, np.ndarray]:
    """Crops (n, 4) and scores (n,) of a file."""
    rows, faults = [], len(problems)
    try:
        lines = numbered_lines(file)
    except AnnotationError as error:
        problems.add(file, f"the file cannot be read ({error.__cause__})")
        lines = []
    for number, line in lines:
        if not line.strip():
            continue
        values = row_numbers(line, (4, 5))
        if values is None:
            problems.add(file, "not 4 or 5 numbers 'x1 y1 x2 y2 [score]'", number)
        elif fault := box_fault(values[:4]) or (None if np.isfinite(values[-1]) else NO_NUMBER):
            problems.add(file, fault, number)
        else:
            rows.append((*values[:4], values[4] if len(values) == 5 else UNSCORED_MOS))
    if not rows and len(problems) == faults:
        problems.add(file, "no crop in the file", 1)
    table = np.array(rows, np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4]
