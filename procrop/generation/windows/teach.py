"""A dataset of windows as a whole: a run that was killed goes on where it was, and ends with the same bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.datasets.formats.jsonl import record_line
from procrop.datasets.formats.text import encoded
from procrop.datasets.records import CropRecord
from procrop.datasets.splits import seeded_split
from procrop.io.atomic import write_bytes, write_json
from procrop.io.manifest import ManifestError, read_manifest, sha256_json, verify_manifest, write_manifest
from procrop.io.progress import progress

from ..errors import GenerationError
from ..item_records import ANNOTATIONS, IMAGES, ItemRecord
from ..run_folder import prepare_folder, remove_leftovers, writing_part
from ..source_photos import PhotoList, SourcePhoto, list_source_photos
from ..worker_pool import make_items
from .settings import WindowSettings
from .view_maker import ViewMaker

KIND, VERSION = "dataset of windows", 1
_SETTINGS = "work/settings.json"
_SPLIT_SEED = 0  # the authors that are held out are the same whatever is drawn


@dataclass
class Taught:
    """What a run did, and what there is.

    Attributes:
        made: Views made now.
        photos: Split -> photos in the dataset.
        views: Split -> views, whole photos among them.
        left_out: (photo, reason), one a photo that could not be used or has fewer windows than asked for.
    """

    made: int = 0
    photos: dict[str, int] = field(default_factory=dict)
    views: dict[str, int] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def teach(
    settings: WindowSettings,
    photos: Path,
    out: Path,
    *,
    credits: str | None = "manifest.jsonl",
    workers: int = 1,
    threads: int = 1,
    limit: int | None = None,
) -> Taught:
    """Make a dataset in the JSONL format, or bring the one in ``out`` up to date.

    Args:
        settings: What to make.
        photos: Folder of photos.
        out: Folder of the dataset: ``annotations.jsonl``, ``images``, ``manifest.json``, and ``work`` with a record of
            each view.
        credits: File in ``photos`` with authors and licences, see `read_credits`; None where there is none, so that
            every photo has an author of its own.
        workers: Processes.
        threads: Threads of numerical libraries in each; another number may change the last digits of crops.
        limit: Take the first photos only.

    Raises:
        GenerationError: The folder was made with other settings or is used for something else, or no photo is left.
        ValueError: The photos or their credits cannot be read.
        OSError: The disk is full; what is finished is kept.
    """
    if workers < 1 or threads < 1:
        raise GenerationError(f"workers and threads must be at least 1, not {workers} and {threads}")
    listed = list_source_photos([dict(type="FolderSource", root=str(photos), credits=credits)], limit)
    prepare_folder(out, listed.roots)
    maker = ViewMaker(settings, out)
    with writing_part(out):
        _check_settings(out, maker)
        made = sum(_shown(maker, listed.photos, workers, threads))
        taught = _finish(maker, listed, made)
        remove_leftovers(out)
    return taught


def _check_settings(out: Path, maker: ViewMaker) -> None:
    """Refuse a folder that was made, or begun, with other settings; note those of a new one."""
    path = out / _SETTINGS
    if not path.exists():
        write_json(path, maker.made_with)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        old = _flat(before)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GenerationError(
            f"{path}: cannot be read ({error!r}); remove {out} and make it again"
        ) from error
    for name, value in _flat(maker.made_with).items():
        if old.get(name) != value:
            raise GenerationError(
                f"{out}: was made with {name} = {old.get(name)}, now it is {value}; choose another folder, or remove "
                "this one"
            )


def _flat(made_with: dict) -> dict:
    return {
        **made_with["settings"],
        "teacher's fingerprint": made_with["teacher"],
        "format": made_with["version"],
    }


def _shown(maker: ViewMaker, photos: list[SourcePhoto], workers: int, threads: int) -> Iterator[int]:
    """Views made of each photo, while a bar shows how many photos are done."""
    results = make_items(maker, photos, workers, threads)
    yield from (made for made, _ in progress(results, len(photos), "teaching"))


def _finish(maker: ViewMaker, listed: PhotoList, made: int) -> Taught:
    """Write annotations and, last, the manifest, unless they are there already."""
    root, taught = maker.items.root, Taught(made, left_out=list(listed.left_out))
    split_of = _splits(listed.photos, maker.settings.val_share)
    lines, images = [], {}
    for photo in listed.photos:
        records = maker.records(photo)
        if records is None:
            raise GenerationError(f"{photo.path}: it changed while it was read; run the same command again")
        _count(photo, records, split_of[photo.id], taught)
        for record in records:
            if record.row is not None:
                lines.append(_line(record, split_of[photo.id]))
                images[f"{IMAGES}/{record.key}.jpg"] = record.image_sha256
    if not lines:
        name, reason = taught.left_out[0]
        raise GenerationError(f"{root}: no photo is left (first: {name}: {reason}); give others")
    text = encoded("".join(lines))
    if made or not _is_finished(root, text, images):
        _write(maker, taught, text, images)
    return taught


def _write(maker: ViewMaker, taught: Taught, text: bytes, images: dict[str, str]) -> None:
    root = maker.items.root
    for path in (root / IMAGES).glob("*.jpg"):
        if f"{IMAGES}/{path.name}" not in images:
            path.unlink()
    write_bytes(root / ANNOTATIONS, text)
    write_manifest(
        root,
        kind=KIND,
        version=VERSION,
        fingerprint=sha256_json(maker.made_with),
        files=[ANNOTATIONS, *images],
        extra={
            **maker.made_with,
            "photos": taught.photos,
            "views": taught.views,
            "left_out": sorted(map(list, taught.left_out)),
        },
    )


def _is_finished(root: Path, text: bytes, images: dict[str, str]) -> bool:
    """Whether the files are those of a manifest that was written for the same views."""
    try:
        listed = read_manifest(root, KIND, VERSION)["files"]
        same = {name: entry["sha256"] for name, entry in listed.items() if name != ANNOTATIONS} == images
        return same and (root / ANNOTATIONS).read_bytes() == text and not verify_manifest(root)
    except (ManifestError, OSError):
        return False


def _splits(photos: list[SourcePhoto], val_share: float) -> dict[str, str]:
    """Id of a photo -> split; all photos of an author are in one. A photo without author has one of its own."""
    author = {
        photo.id: f"author {a}" if (a := photo.credit.author) else f"photo {photo.id}" for photo in photos
    }
    authors = sorted(set(author.values()))
    held, _ = seeded_split(authors, round(val_share * len(authors)), _SPLIT_SEED)
    held = set(held)
    return {name: "val" if one in held else "train" for name, one in author.items()}


def _count(photo: SourcePhoto, records: list[ItemRecord], split: str, taught: Taught) -> None:
    views = sum(record.row is not None for record in records)
    dropped = [record.dropped for record in records if record.dropped is not None]
    if dropped:
        step, reason = dropped[0]
        short = "" if dropped == len(records) else f" ({len(dropped)} of {len(records)} views)"
        taught.left_out.append((photo.name, f"{step}: {reason}{short}"))
    if views:
        taught.photos[split] = taught.photos.get(split, 0) + 1
        taught.views[split] = taught.views.get(split, 0) + views


def _line(record: ItemRecord, split: str) -> str:
    row = record.row
    crops = CropRecord(
        img_id=record.key,
        photo=f"{record.key}.jpg",
        boxes=np.array(row["boxes"], np.float64),
        scores=np.array(row["scores"], np.float64),
        source_id=row["source_id"],
        size=tuple(row["size"]),
        extra=row["extra"],
    )
    return record_line(crops, split)
