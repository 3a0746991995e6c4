"""The files of a finished dataset, written of the records of its items."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from procrop.datasets.formats import get_format
from procrop.datasets.formats.text import encoded
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropSet
from procrop.datasets.splits import seeded_split
from procrop.io.atomic import write_bytes
from procrop.io.manifest import sha256_json, write_manifest

from .datacard import attribution_table, card_text
from .errors import GenerationError
from .item_maker import ItemMaker
from .item_records import ANNOTATIONS, IMAGES, ItemRecord
from .item_row import crop_record
from .run_folder import ANALYSES, ATTRIBUTION, CARD, KIND, REJECTED, VERSION
from .settings import GenerationSettings
from .source_photos import PhotoList, SourcePhoto

# what a photo that the source itself could not give is reported under
_LISTING = "listing"


@dataclass
class DatasetCounts:
    """What is in a dataset.

    Attributes:
        photos: Source photos with at least one item.
        items: Finished items.
        splits: Split -> (source photos, items).
        rejected: One entry a dropped item or source photo: ``photo``, ``key`` (absent for a whole photo), ``step``,
            ``reason``.
        licences: Licence -> source photos; None for unknown.
        compositions: Composition class -> items; None without.
        split_of: Id of a source photo -> its split.
    """

    photos: int = 0
    items: int = 0
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    rejected: list[dict[str, str]] = field(default_factory=list)
    licences: dict[str | None, int] = field(default_factory=dict)
    compositions: dict[str | None, int] = field(default_factory=dict)
    split_of: dict[str, str] = field(default_factory=dict)


def write_dataset(maker: ItemMaker, listed: PhotoList, remove_others: bool) -> DatasetCounts:
    """Write annotations, rejections, analyses, attribution, card and, last, the manifest.

    Args:
        maker: Made, or found, all items.
        listed: The source photos.
        remove_others: Remove finished photos of items that do not belong to the dataset any more.

    Raises:
        GenerationError: An item is missing, or not one was good enough.
    """
    root = maker.items.root
    records = {photo.id: _records_of(maker, photo) for photo in listed.photos}
    used = [photo for photo in listed.photos if any(record.row for record in records[photo.id])]
    counts = _counted(listed, records, used, maker)
    if not used:
        first = counts.rejected[0] if counts.rejected else {"photo": "none", "reason": "no photo is listed"}
        raise GenerationError(
            f"{root}: no item of {len(listed.photos)} source photos is left (first: {first['photo']}: "
            f"{first['reason']}); change the steps or their thresholds"
        )
    rows = [r for photo in used for r in records[photo.id] if r.row]
    crops = [
        crop_record(r.key, r.row, counts.split_of[photo.id])
        for photo in used
        for r in records[photo.id]
        if r.row
    ]
    problems = Problems()
    get_format("cad").save(CropSet("cad", crops, root / IMAGES), root, None, problems)
    problems.raise_if_any()
    write_bytes(root / REJECTED, _lines(counts.rejected))
    write_bytes(root / ANALYSES, _lines(_analyses(used, records)))
    write_bytes(root / ATTRIBUTION, encoded(attribution_table(used)))
    write_bytes(root / CARD, encoded(card_text(maker, counts)))
    if remove_others:
        _remove_others(root, {r.key for r in rows})
    _write_manifest(maker, counts, [f"{IMAGES}/{r.key}.jpg" for r in rows])
    return counts


def _write_manifest(maker: ItemMaker, counts: DatasetCounts, images: list[str]) -> None:
    settings, chain = maker.settings, maker.chain
    made_with = [chain.fingerprint, settings.quality, settings.val_share, settings.test_share]
    write_manifest(
        maker.items.root,
        kind=KIND,
        version=VERSION,
        fingerprint=sha256_json(made_with),
        files=[ANNOTATIONS, REJECTED, ANALYSES, ATTRIBUTION, CARD, *images],
        extra={
            "photos": counts.photos,
            "items": counts.items,
            "splits": counts.splits,
            "rejected": len(counts.rejected),
            "components": chain.fingerprints,
            "stand_ins": chain.stand_ins,
        },
    )


def _records_of(maker: ItemMaker, photo: SourcePhoto) -> list[ItemRecord]:
    """Records of all expansions of a photo, as they are on the disk."""
    records = [maker.items.read(key) for key in maker.keys(photo)]
    for key, record in zip(maker.keys(photo), records, strict=True):
        if record is None or record.made_from != maker.made_from(photo, record.photo_sha256):
            raise GenerationError(f"{maker.items.root}: {key} is not made yet; run the same command again")
    return records


def _counted(
    listed: PhotoList, records: dict[str, list[ItemRecord]], used: list[SourcePhoto], maker: ItemMaker
) -> DatasetCounts:
    settings, counts = maker.settings, DatasetCounts(photos=len(used))
    counts.rejected += [
        {"photo": place, "step": _LISTING, "reason": reason} for place, reason in listed.left_out
    ]
    for photo in listed.photos:
        counts.rejected += _rejections(photo, records[photo.id])
    counts.split_of = _split_of(used, records, settings)
    for photo in used:
        rows = [record.row for record in records[photo.id] if record.row is not None]
        split, licence = counts.split_of[photo.id], photo.credit.licence
        photos, items = counts.splits.get(split, (0, 0))
        counts.splits[split] = photos + 1, items + len(rows)
        counts.items += len(rows)
        counts.licences[licence] = counts.licences.get(licence, 0) + 1
        for row in rows:
            counts.compositions[row["composition"]] = counts.compositions.get(row["composition"], 0) + 1
    return counts


def _split_of(
    used: list[SourcePhoto], records: dict[str, list[ItemRecord]], settings: GenerationSettings
) -> dict[str, str]:
    """Id of a source photo -> its split; copies of one photo under other names go where the first of them goes."""
    first: dict[str | None, str] = {}
    same = {photo.id: first.setdefault(records[photo.id][0].photo_sha256, photo.id) for photo in used}
    splits = _splits(list(first.values()), settings)
    return {name: splits[original] for name, original in same.items()}


def _splits(names: list[str], settings: GenerationSettings) -> dict[str, str]:
    """Source photo -> split, by chance and by name alone: a photo that comes later moves few others."""
    splits = {}
    for split, share in (("test", settings.test_share), ("val", settings.val_share)):
        left = [name for name in names if name not in splits]
        number = min(max(1, round(share * len(names))), len(left) - 1) if share else 0
        splits.update(dict.fromkeys(seeded_split(left, number, settings.seed)[0], split))
    return {name: splits.get(name, "train") for name in names}


def _rejections(photo: SourcePhoto, records: list[ItemRecord]) -> Iterator[dict[str, str]]:
    for record in records:
        if record.dropped is not None:
            step, reason = record.dropped
            key = {} if record.whole_source else {"key": record.key}
            yield {"photo": photo.name, **key, "step": step, "reason": reason}
            if record.whole_source:
                return


def _analyses(used: list[SourcePhoto], records: dict[str, list[ItemRecord]]) -> Iterator[dict]:
    """What was found out of each source photo, once a photo."""
    for photo in used:
        row = next(record.row for record in records[photo.id] if record.row)
        if row["analysis"] is not None:
            yield {"source_id": photo.source_id, "analysis": row["analysis"]}


def _lines(values: Iterable[dict]) -> bytes:
    text = "".join(json.dumps(value, allow_nan=False, ensure_ascii=False) + "\n" for value in values)
    return encoded(text)


def _remove_others(root: Path, keys: set[str]) -> None:
    for path in (root / IMAGES).glob("*.jpg"):
        if path.stem not in keys:
            path.unlink()
