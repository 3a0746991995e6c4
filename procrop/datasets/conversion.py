"""A dataset written in another format, with its photos, and an account of what that format did not keep."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.io.progress import progress

from .errors import AnnotationError
from .formats.spec import DatasetSpec
from .paths import link_fault
from .problems import Problems
from .records import CropRecord, CropSet

PHOTO_MODES = ("copy", "link", "none")
_SPLIT = "the split"


@dataclass
class Conversion:
    """What came of a conversion.

    Attributes:
        records: Records written.
        crops: Crops written.
        files: Photos and masks that were copied or linked.
        left_out: Ids of records that are not in the new files.
        lost: What the new files do not keep of the records in them -> ids, found by reading the files again.
        reasons: Why: what the format itself said when it wrote them, and which splits it has.
        missing: Photos and masks that were to be copied or linked and are not there, or links out of the dataset.
    """

    records: int
    crops: int
    files: int = 0
    left_out: list[str] = field(default_factory=list)
    lost: dict[str, list[str]] = field(default_factory=dict)
    reasons: Problems = field(default_factory=Problems)
    missing: list[Path] = field(default_factory=list)


def convert(found: CropSet, target: DatasetSpec, photos: str = "none", replace: bool = False) -> Conversion:
    """Write a dataset in another format.

    Everything is made in a folder beside the target and moved there at the end: on an error the target is as it was.

    Args:
        found: What to write.
        target: Where to, and how.
        photos: "copy" copies photos and masks, "link" links them (hard links, which need the same file system and no
            further room), "none" writes annotations only.
        replace: Replace files that are at the target; other files there stay.

    Raises:
        ValueError: Files are there already and ``replace`` is off, nothing of the dataset fits into the format, or a
            photo cannot be linked.
        OSError: The disk is full, or something may not be written.
    """
    root = Path(os.path.abspath(target.root))
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise ValueError(f"{root} is not a folder; name a new folder for the converted dataset")
    if root.resolve() == found.photos.resolve() or root.resolve() in found.photos.resolve().parents:
        raise ValueError(f"{root} holds the dataset that is to be converted; name another folder")
    stage = root.with_name(f".{root.name}.{os.getpid()}.tmp")
    shutil.rmtree(stage, ignore_errors=True)
    try:
        stage.mkdir(parents=True)
        done, kept = _write(found, target, stage)
        files = dict(_files(kept, found.photos, target)) if photos != "none" else {}
        if not replace:
            _check_free(root, [*_all_files(stage), *files])
        for place, source in progress(files.items(), len(files), photos) if files else ():
            if source.is_file() and not link_fault(source, found.photos.parent):
                _put(source, stage / place, photos)
                done.files += 1
            else:
                done.missing.append(source)
        _move(stage, root)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return done


def _write(found: CropSet, target: DatasetSpec, stage: Path) -> tuple[Conversion, list[CropRecord]]:
    """Write the annotations, read them again and compare; the account, and the records that are in the new files."""
    reasons = Problems()
    target.reader.save(found, stage, target.split, reasons)
    try:
        again = target.reader.read(stage, target.split, strict=False)
    except AnnotationError as error:
        why = reasons.summary() or str(error).replace(str(stage), str(target.root))
        raise ValueError(f"nothing of this dataset can be written as {target.reader.title}: {why}") from error
    pairs = _pairs(found.records, again.records)
    written = {id(old) for old, _ in pairs}
    lost: dict[str, list[str]] = {}
    for old, new in pairs:
        for kind in _differences(old, new, target.split):
            lost.setdefault(kind, []).append(old.img_id)
    _add_split_reasons(lost.get(_SPLIT, []), target, reasons)
    done = Conversion(
        records=len(again),
        crops=sum(len(record.boxes) for record in again.records),
        left_out=[record.img_id for record in found.records if id(record) not in written],
        lost=lost,
        reasons=reasons,
    )
    return done, [old for old, _ in pairs]


def _add_split_reasons(ids: list[str], target: DatasetSpec, reasons: Problems) -> None:
    """Say which splits a format has, of records whose split was lost and of which it did not say so itself."""
    said = {place for place, reason in reasons.entries if "splits" in reason}
    known = " and ".join(target.reader.splits)
    for img_id in ids:
        if img_id not in said:
            title = target.reader.title
            reasons.add(
                img_id, f"{title} has the splits {known} alone" if known else f"{title} has no splits"
            )


def _pairs(old: list[CropRecord], new: list[CropRecord]) -> list[tuple[CropRecord, CropRecord]]:
    """Each record with what became of it: by id where a format keeps ids, else by place."""
    by_id = {record.img_id: record for record in new}
    if len(old) == len(new) and not all(record.img_id in by_id for record in old):
        return list(zip(old, new, strict=True))
    return [(record, by_id[record.img_id]) for record in old if record.img_id in by_id]


def _differences(old: CropRecord, new: CropRecord, split: str | None) -> Iterator[str]:
    """What ``new`` does not keep of ``old``; ``split`` is the one that all records were to be written to, if any."""
    if old.img_id != new.img_id:
        yield "its id"
    if len(old.boxes) != len(new.boxes):
        yield "some of its crops"
    elif not np.allclose(old.boxes, new.boxes, rtol=0, atol=1e-6):
        yield "exact coordinates" if np.abs(old.boxes - new.boxes).max() <= 1 else "its crops' coordinates"
    if old.scores is None and new.scores is not None:
        yield "that its crops have no scores"
    elif old.scores is not None and new.scores is None:
        yield "scores"
    elif old.scores is not None and len(old.boxes) == len(new.boxes):
        if not np.allclose(old.scores, new.scores, rtol=0, atol=1e-6):
            yield "exact scores"
    if old.subject is not None and (
        new.subject is None or not np.allclose(old.subject, new.subject, atol=1e-6)
    ):
        yield "the subject's box"
    if old.mask is not None and new.mask is None:
        yield "the subject's mask"
    if old.source_id not in (old.img_id, new.source_id):
        yield "the source"
    if set(old.tags) - set(new.tags):
        yield "tags"
    if split is None and old.extra.get("split") not in (None, new.extra.get("split")):
        yield _SPLIT
    extra = set(old.extra) - set(new.extra) - {"split"}
    if extra:
        yield f"further fields ({', '.join(sorted(extra))})"


def _files(records: list[CropRecord], photos: Path, target: DatasetSpec) -> Iterator[tuple[Path, Path]]:
    """(place below the target, file) of each photo and mask that the new files name."""
    for record in records:
        for name, place in target.reader.places(record, target.split).items():
            yield Path(place), photos / name


def _all_files(folder: Path) -> Iterator[Path]:
    return (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())


def _check_free(root: Path, places: list[Path]) -> None:
    taken = sorted({place for place in places if os.path.lexists(root / place)})
    if taken:
        more = f" and {len(taken) - 1} more files" if len(taken) > 1 else ""
        raise ValueError(f"{root / taken[0]}{more} would be replaced; name a new folder, or give --replace")


def _put(source: Path, place: Path, how: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():  # a photo of several records
        return
    if how == "copy":
        shutil.copyfile(source, place)
        return
    try:
        os.link(os.path.realpath(source), place)
    except OSError as error:
        raise ValueError(f"{source} cannot be linked ({error.strerror}); use --photos copy") from error


def _move(stage: Path, root: Path) -> None:
    """Give the finished files their names: the whole folder at once where there is none, else photos first."""
    if not root.exists():
        os.rename(stage, root)
        return
    files = sorted(
        _all_files(stage), key=lambda place: place.suffix.lower() in (".txt", ".json", ".jsonl", ".mat")
    )
    for place in files:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage / place, root / place)
