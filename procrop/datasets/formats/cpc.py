"""CPC, the Comparative Photo Composition database: 10,797 photos with 24 scored crops each (Wei et al. 2018)."""

import json
import os
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_many

from ..errors import AnnotationError
from ..paths import link_fault
from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord, CropSet
from ..splits import by_split, read_split, seeded_split, write_splits
from .base import NO_NUMBER, CropFormat, sound_boxes
from .json_values import number_rows, parse_json
from .losses import note_losses
from .names import flat_photo, one_each, without_suffix
from .text import encoded, plain_numbers

_FOLDER = "CollectedAnnotationsRaw"
_TRAIN, _ALL = 9797, 10797


class CPCFormat(CropFormat):
    """``images/<name>`` and ``CollectedAnnotationsRaw/<name>.txt``; the photo's suffix stays before ``.txt``.

    :func:`read_cpc_annotation` says what a file holds. Written files have integers where all corners of a photo are
    whole, exact numbers otherwise, and one row of scores: the mean, for records do not have those of each annotator.

    CPC was published without a split; 9,797 of its photos are commonly trained on, and 1,000 validate.
    ``splits/train.txt`` and ``splits/val.txt``, with one photo's name a line, say which. With one of the two files,
    all other photos are the other split; a photo in both is left out of train and reported. Without these files
    :func:`..splits.seeded_split` with seed 0 chooses n * 9797 / 10797 of the n annotated photos, rounded and at least
    one less than all, for train. Whether a photo is on the disk does not matter to the choice.
    """

    name = "cpc"
    title = "CPC"
    splits = ("train", "val")
    carries = frozenset({"scores"})
    needs_scores = True
    layout = (
        "{root}/images/<name>.jpg\n"
        "{root}/CollectedAnnotationsRaw/<name>.jpg.txt\n"
        "{root}/splits/{{train,val}}.txt (optional: one <name>.jpg per line)"
    )
    source = (
        "It is published with Wei et al., 'Good View Hunting: Learning Photo Composition from Dense View Pairs' "
        "(CVPR 2018)."
    )

    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        folder = root / _FOLDER
        try:
            files = {
                entry.name.removesuffix(".txt"): entry for entry in os.scandir(folder) if _is_text(entry)
            }
        except OSError as error:
            raise self.not_found(root, f"the folder {_FOLDER} cannot be listed ({error.strerror})") from error
        members = _members(root, sorted(files), split, problems)
        records = []
        for own in (split,) if split else (*self.splits, None):
            extra = {"split": own} if own else {}
            for name, place in members.get(own, {}).items():
                if name not in files:
                    problems.add(f"{place} (expected {folder / name}.txt)", "annotation missing")
                elif files[name].is_symlink() and (fault := link_fault(Path(files[name].path), root)):
                    problems.add(files[name].path, f"annotation is a {fault}")
                else:
                    records += _record(name, files[name].path, extra, problems)
        return root / "images", records

    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        note_losses(self, records.records, problems)
        named = list(one_each(records.records, flat_photo, self.title, problems))
        write_many((root / _FOLDER / f"{name}.txt", _annotation(record)) for name, record in named)
        groups = by_split([record for _, record in named], split, self.splits)
        groups.pop(None, None)
        if groups:
            # both files, also where one is empty: a record of neither split must not become the rest of one
            lists = [split] if split else self.splits
            write_splits(root, {name: list(map(flat_photo, groups.get(name, ()))) for name in lists})


def read_cpc_annotation(path: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Read the crops of one photo.

    The file holds a JSON string that holds JSON: an object with ``bboxes``, 24 crops as ``[x1, y1, x2, y2]`` in pixels
    of the photo, and ``scores``, a list of 24 numbers per annotator. A crop's score is the mean over the annotators. A
    file whose JSON is not wrapped into a string is read likewise.

    Args:
        path: The file, ``CollectedAnnotationsRaw/<photo's name>.txt``.

    Returns:
        Boxes (n, 4) float32 xyxy in pixels and scores (n,) float32, in file order.

    Raises:
        AnnotationError: The file cannot be read, or is not of this form; the message names it and the reason.
    """
    try:
        boxes, scores = _read(os.fspath(path))
        if not np.isfinite(boxes).all():
            raise ValueError(NO_NUMBER)
        if not (boxes[:, :2] < boxes[:, 2:]).all():
            raise ValueError("a crop has no area")
    except ValueError as error:
        raise AnnotationError(f"{path}:1: {error}; restore the file") from error
    return boxes.astype(np.float32), scores.astype(np.float32)


def _read(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (n, 4) and mean scores (n,), float64; a ValueError has the reason alone. Boxes may be NaN."""
    try:
        with open(path, "rb") as file:
            content = parse_json(file.read())
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from error
    if isinstance(content, str):
        content = parse_json(content)
    if not (isinstance(content, dict) and {"bboxes", "scores"} <= content.keys()):
        raise ValueError("not a CPC annotation with 'bboxes' and 'scores'")
    boxes = number_rows(content["bboxes"], 4)
    if boxes is None:
        raise ValueError("'bboxes' is not a list of crops [x1, y1, x2, y2]")
    scores = number_rows(content["scores"], len(boxes))
    if scores is None:
        raise ValueError(f"'scores' is not a list of {len(boxes)} numbers per annotator")
    if not np.isfinite(mean := scores.mean(axis=0)).all():
        raise ValueError(NO_NUMBER)
    return boxes, mean


def _record(name: str, path: str, extra: dict, problems: Problems) -> list[CropRecord]:
    """The record of a file, or none."""
    place = f"{path}:1"
    try:
        boxes, scores = _read(path)
    except ValueError as error:
        problems.add(place, str(error))
        return []
    sound = sound_boxes(boxes, place, problems)
    if not sound.any():
        return []
    return [CropRecord(without_suffix(name), name, boxes[sound], scores[sound], extra=extra)]


def _members(
    root: Path, annotated: list[str], split: str | None, problems: Problems
) -> dict[str | None, dict[str, str]]:
    """Split -> name -> the place that names it; under None are names of neither."""
    stated: dict[str | None, dict[str, str]] = {}
    for own in CPCFormat.splits:
        file = root / f"splits/{own}.txt"
        if file.is_file():
            noted = problems if split in (own, None) else Problems()
            stated[own] = {name: place for place, name in read_split(file, noted, _without_txt)}
    if not stated:
        count = min(round(len(annotated) * _TRAIN / _ALL), max(len(annotated) - 1, 1))
        chosen = seeded_split(annotated, count)
        return {own: dict.fromkeys(names, "") for own, names in zip(CPCFormat.splits, chosen, strict=True)}
    both = [name for name in stated.get("train", ()) if name in stated.get("val", ())]
    for name in both:
        place = stated["train"].pop(name)
        if split != "val":
            problems.add(f"{place} ({name!r})", "name listed in splits/val.txt too")
    others = next((own for own in CPCFormat.splits if own not in stated), None)
    known = set().union(*stated.values())
    stated[others] = {name: "" for name in annotated if name not in known}
    return stated


def _annotation(record: CropRecord) -> bytes:
    scores = np.full(len(record.boxes), UNSCORED_MOS) if record.scores is None else record.scores
    content = {"bboxes": plain_numbers(record.boxes), "scores": [plain_numbers(scores)]}
    return encoded(json.dumps(json.dumps(content, allow_nan=False)))


def _is_text(entry: os.DirEntry) -> bool:
    return entry.name.endswith(".txt") and not entry.is_dir()


def _without_txt(name: str) -> str:
    return name.removesuffix(".txt")
