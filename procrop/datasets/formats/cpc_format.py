"""CPC as a format: 10,797 photos with 24 crops each, scored by six annotators or so (Wei et al. 2018)."""

import json
from pathlib import Path

from procrop.io.atomic import write_many

from ..errors import AnnotationError
from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord, CropSet
from ..splits import by_split, read_split, seeded_split, write_splits
from .base import CropFormat, sound_boxes
from .cpc import read_cpc_annotation
from .losses import note_losses
from .names import flat_photo, one_each, without_suffix
from .text import plain_numbers

_SUFFIX = ".txt"
_FOLDER = "CollectedAnnotationsRaw"
# Jia et al. trained on 9,797 of the 10,797 photos
_TRAIN_SHARE = 9797 / 10797


class CPCFormat(CropFormat):
    """``images/<name>`` and ``CollectedAnnotationsRaw/<name>.txt``, whose name keeps the photo's suffix.

    :func:`read_cpc_annotation` says what a file holds; the score of a crop is the mean over its annotators. CPC has no
    published split. ``splits/train.txt`` and ``splits/val.txt`` state one, a photo's name a line. Without them the
    split is drawn with seed 0 (:func:`~procrop.datasets.splits.seeded_split`): 9,797 photos of 10,797 for training as
    in Jia et al., whose own choice cannot be repeated, and the same share of another number.
    """

    name = "cpc"
    title = "CPC"
    splits = ("train", "val")
    carries = frozenset({"scores"})
    needs_scores = True
    layout = (
        "{root}/images/<name>.jpg\n"
        "{root}/CollectedAnnotationsRaw/<name>.jpg.txt\n"
        "{root}/splits/{{train,val}}.txt (optional)"
    )
    source = "It is published with Wei et al., 'Good View Hunting' (CVPR 2018)."

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        folder = root / _FOLDER
        if not folder.is_dir():
            raise self.not_found(root, f"there is no folder {_FOLDER!r}")
        present = sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX))
        records = []
        for name, own in self._members(root, split, present, problems):
            file = folder / f"{name}{_SUFFIX}"
            try:
                boxes, scores = read_cpc_annotation(file)
            except AnnotationError as error:
                problems.add(file, str(error).partition(": ")[2].partition("; restore")[0], 1)
                continue
            sound = sound_boxes(boxes, f"{file}:1", problems)
            if sound.any():
                record = CropRecord(
                    without_suffix(name),
                    name,
                    boxes[sound],
                    scores[sound],
                    extra={"split": own} if own else {},
                )
                records.append(record)
        return root / "images", records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = list(one_each(records.records, flat_photo, self.title, problems))
        write_many((root / _FOLDER / f"{name}{_SUFFIX}", _annotation(record)) for name, record in named)
        groups = by_split([record for _, record in named], split, self.splits)
        write_splits(root, {name: [flat_photo(r) for r in group] for name, group in groups.items() if name})

    def _members(
        self, root: Path, split: str | None, present: list[str], problems: Problems
    ) -> list[tuple[str, str | None]]:
        """(photo's name, split or None) of what is asked for, by name."""
        files = {name: root / f"splits/{name}.txt" for name in self.splits}
        if not any(file.is_file() for file in files.values()):
            drawn = dict(
                zip(self.splits, seeded_split(present, round(len(present) * _TRAIN_SHARE)), strict=True)
            )
            chosen = [(name, key) for key in self.splits if split in (None, key) for name in drawn[key]]
            return sorted(chosen)
        known = {without_suffix(name): name for name in present} | {name: name for name in present}
        chosen, seen = [], {}
        for key, file in files.items():
            if not file.is_file():
                if split == key:
                    raise self.not_found(root, f"the split file {file} is missing, and another is there")
                continue
            for place, line in read_split(file, problems):
                name = known.get(line)
                if name is None:
                    if split in (None, key):
                        problems.add(f"{place} ({line!r})", "annotation missing")
                elif name in seen and seen[name] != key:
                    problems.add(f"{place} ({line!r})", "photo listed in two splits")
                else:
                    seen[name] = key
                    chosen.append((name, key))
        if split is None:
            chosen += [(name, None) for name in present if name not in seen]
        return sorted((pair for pair in chosen if split in (None, pair[1])), key=lambda pair: pair[0])


def _annotation(record: CropRecord) -> bytes:
    scores = [UNSCORED_MOS] * len(record.boxes) if record.scores is None else plain_numbers(record.scores)
    content = json.dumps({"bboxes": plain_numbers(record.boxes), "scores": [scores]}, allow_nan=False)
    return json.dumps(content).encode()
