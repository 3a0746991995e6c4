"""CAD, crops for out-painted professional photos: this project's own layout, and the authors' text files."""

from pathlib import Path, PurePosixPath

import numpy as np

from procrop.io import PHOTO_SUFFIXES
from procrop.io.atomic import write_many

from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord, CropSet
from ..splits import seeded_split
from .base import CropFormat, box_fault
from .jsonl import JSONLFormat
from .losses import note_losses
from .names import numbered, one_each, split_number, without_suffix
from .text import encoded, numbered_lines, plain_numbers, row_numbers, row_text

_VAL_SHARE = 0.02


class CADFormat(JSONLFormat):
    """The generic format of :class:`JSONLFormat`, with ``source_id`` naming the professional photo.

    Where no line states a split, one is drawn with seed 0 over the source photos, so that all expansions of a source
    lie on one side: 2 % of the sources, at least one, are for validation. There is no test split: CAD is trained on.
    """

    name = "cad"
    title = "CAD"
    splits = ("train", "val")
    source = "It is generated from professional photos; the paper's own set is not published."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        photos, records = super().load(root, None, problems)
        if not any("split" in record.extra for record in records):
            sources = sorted({record.source_id for record in records})
            count = max(1, round(_VAL_SHARE * len(sources))) if len(sources) > 1 else 0
            held_out = set(seeded_split(sources, count)[0])
            for record in records:
                record.extra["split"] = "val" if record.source_id in held_out else "train"
        return photos, [r for r in records if split in (None, r.extra.get("split"))]


class CADAuthorsFormat(CropFormat):
    """Text files as the authors' code reads them: flat ``images/`` and ``annotations/<name>.txt``.

    A photo's name is ``<source id>_<n>``; a line is ``x1 y1 x2 y2`` or ``x1 y1 x2 y2 score`` in pixels. A crop without
    a score counts as 5, as there. There are no splits.
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
        names = sorted(p.name for p in images.iterdir()) if images.is_dir() else []
        photos = {without_suffix(n): n for n in names if PurePosixPath(n).suffix.lower() in PHOTO_SUFFIXES}
        records = []
        for file in sorted(folder.glob("*.txt")):
            name = file.name.removesuffix(".txt")
            boxes, scores = _rows(file, problems)
            if len(boxes):
                parts = split_number(name)
                source = parts[0] if parts else name
                records.append(
                    CropRecord(name, photos.get(name, f"{name}.jpg"), boxes, scores, source_id=source)
                )
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
    for number, line in numbered_lines(file):
        if not line.strip():
            continue
        values = row_numbers(line, (4, 5))
        if values is None:
            problems.add(file, "not 4 or 5 numbers 'x1 y1 x2 y2 [score]'", number)
        elif fault := box_fault(values[:4]) or (
            None if np.isfinite(values[-1]) else "score is NaN or infinite"
        ):
            problems.add(file, fault, number)
        else:
            rows.append((*values[:4], values[4] if len(values) == 5 else UNSCORED_MOS))
    if not rows and len(problems) == faults:
        problems.add(file, "no crop in the file", 1)
    table = np.array(rows, np.float64).reshape(-1, 5)
    return table[:, :4], table[:, 4]
