"""A gallery built in parts, on machines that do not see each other, and the parts joined."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procrop.io.manifest import (
    MANIFEST_NAME,
    ManifestError,
    read_manifest,
    sha256_json,
    verify_manifest,
    write_manifest,
)

from .gallery import Gallery
from .gallery_cost import check_space, cost_of_design
from .gallery_design import GalleryDesign
from .gallery_finish import finish_gallery
from .gallery_format import PART_KIND, VERSION, GalleryError, GalleryItem
from .gallery_plan import prepare_folder, relative_root
from .gallery_shards import ShardFolder, read_shard_table, shard_files, shard_name
from .gallery_work import GalleryWork, writing_to
from .key_transforms import build_key_transform


@dataclass(frozen=True)
class GalleryPart:
    """A part as `build_part` leaves it.

    Attributes:
        folder: Where it is.
        photos: Photos that were encoded.
        rejected: Photos set aside: name and reason.
    """

    folder: Path
    photos: int
    rejected: list[dict[str, str]]


def build_part(
    folder: str | os.PathLike,
    items: Iterable[GalleryItem],
    retrieval: dict,
    photo_root: str | os.PathLike,
    rank: int,
    processes: int,
    **options: Any,
) -> GalleryPart:
    """Encode part ``rank`` (from 0) of ``processes`` of a gallery into a folder of its own, for `merge_parts`.

    A part is resumable and can be brought up to date like a gallery. All parts need the same list of photos, config
    and ``shard_size``.

    Args and raises: as `build_gallery`; ``folder`` is the part's.

    Returns:
        What the part holds.
    """
    work = GalleryWork(folder, items, retrieval, photo_root, rank, processes, kind=PART_KIND, **options)
    with work, work.locked():
        signed = work.writer.sign(work.own)
        (work.folder / MANIFEST_NAME).unlink(missing_ok=True)
        work.write_missing(signed, work.locate(signed))
        names = {number: shard_name(plan) for number, plan in signed.items()}
        work.target.keep_only(names.values())
        # not the photos' hashes: each part has seen its own photos only
        whole = [plan.request() for plan in work.plans], len(work.numbers), processes
        write_manifest(
            work.folder,
            kind=PART_KIND,
            version=VERSION,
            fingerprint=work.design.fingerprint,
            files=[file for name in names.values() for file in shard_files(name, work.design.stores)],
            extra={
                **work.design.to_json(),
                "whole": sha256_json(whole),
                "part": [rank, processes],
                "shards": [[number, name] for number, name in names.items()],
                "shards_of_all": len(work.numbers),
                "photo_root": relative_root(work.photo_root, work.folder),
            },
        )
        tables = [read_shard_table(work.folder, name) for name in names.values()]
    return GalleryPart(
        work.folder,
        sum(len(table.records) for table in tables),
        [{"name": name, "reason": reason} for table in tables for name, reason in table.rejected],
    )


def merge_parts(
    folder: str | os.PathLike,
    parts: Sequence[str | os.PathLike],
    photo_root: str | os.PathLike | None = None,
    refit: bool = False,
) -> Gallery:
    """Join all parts of a gallery; the same bytes as a build in one process.

    Args:
        folder: The gallery; made when absent, brought up to date when there.
        parts: The folders that `build_part` made, in any order; they stay as they are.
        photo_root: Where the photos are; None takes the place noted by the first part.
        refit: Fit the key transform anew.

    Raises:
        GalleryError: A part is absent, unfinished, damaged, given twice, of another encoder or of another list of
            photos, a photo is in two of them, or the disk has too little space.
        OSError: The disk is full.
    """
    folder, folders = Path(folder), [Path(part) for part in parts]
    manifests = [_read_part(part) for part in folders]
    _check_whole(folders, manifests)
    first = manifests[0]["extra"]
    noted = os.path.normpath(folders[0].resolve() / first["photo_root"])
    root = Path(photo_root if photo_root is not None else noted)
    design = GalleryDesign.from_json(first)
    prepare_folder(folder, root)
    where = {
        number: (name, part)
        for part, manifest in zip(folders, manifests, strict=True)
        for number, name in manifest["extra"]["shards"]
    }
    with writing_to(folder):
        _check_space(folder, design, where.values())
        shards = ShardFolder(folder)
        shards.remove_temporary()
        for name, part in where.values():
            shards.adopt(ShardFolder(part), [name], move=False)
        names = [where[number][0] for number in sorted(where)]
        finish_gallery(folder, design, names, root, refit)
    return Gallery.open(folder)


def _check_space(folder: Path, design: GalleryDesign, shards: Iterable[tuple[str, Path]]) -> None:
    """Make sure that the index fits on the disk, and the rows of parts that are on another one."""
    photos = copied = 0
    for name, part in shards:
        rows = len(read_shard_table(part, name).records)
        photos += rows
        # files on the same disk are linked
        copied += rows if os.stat(part).st_dev != os.stat(folder).st_dev else 0
    cost = cost_of_design(design, build_key_transform(design.retrieval["key_transform"]), photos)
    check_space(folder, cost, copied, indexed=True)


def _read_part(part: Path) -> dict:
    """A finished part's manifest, once every byte of the part was checked."""
    try:
        manifest = read_manifest(part, PART_KIND, VERSION)
        problems = verify_manifest(part)
    except ManifestError as error:
        raise GalleryError(
            f"{error} (procrop gallery build {part} --shard I/N, with the arguments it was begun with)"
        ) from error
    if problems:
        raise GalleryError(f"{problems[0]}; build this part again: what is intact is kept")
    return manifest


def _check_whole(parts: Sequence[Path], manifests: Sequence[dict]) -> None:
    """Make sure that the parts are all parts of one gallery."""
    if not parts:
        raise GalleryError("no parts to merge; name their folders")
    first = manifests[0]
    for part, manifest in zip(parts, manifests, strict=True):
        if manifest["fingerprint"] != first["fingerprint"]:
            raise GalleryError(
                f"{part}: made by another encoder or key transform than {parts[0]} (fingerprint "
                f"{manifest['fingerprint'][:12]}, not {first['fingerprint'][:12]}); build it with the same config"
            )
        extra = manifest["extra"]
        if (
            _without_place(extra) != _without_place(first["extra"])
            or extra["part"][1] != first["extra"]["part"][1]
        ):
            raise GalleryError(
                f"{part}: was built from another list of photos, config, shard size or number of parts than "
                f"{parts[0]}; build it again with the same arguments"
            )
    number = first["extra"]["part"][1]
    ranks = [manifest["extra"]["part"][0] for manifest in manifests]
    for rank in range(number):
        if ranks.count(rank) != 1:
            what = "is missing" if rank not in ranks else "is given twice"
            raise GalleryError(f"part {rank}/{number} {what}; give each of the {number} parts once")
    _check_photos(parts, manifests)


def _without_place(extra: dict) -> dict:
    """What all parts of a gallery have in common."""
    return {k: v for k, v in extra.items() if k not in ("part", "shards", "photo_root")}


def _check_photos(parts: Sequence[Path], manifests: Sequence[dict]) -> None:
    """Make sure that no shard and no photo is missing or there twice."""
    numbers, owner = [], {}
    for part, manifest in zip(parts, manifests, strict=True):
        for number, name in manifest["extra"]["shards"]:
            numbers.append(number)
            table = read_shard_table(part, name)
            for photo in [*(record.name for record in table.records), *(name for name, _ in table.rejected)]:
                if photo in owner:
                    raise GalleryError(
                        f"{part}: the photo {photo!r} is in {owner[photo]} too; build both parts again"
                    )
                owner[photo] = part
    if sorted(numbers) != list(range(manifests[0]["extra"]["shards_of_all"])):
        raise GalleryError(f"{parts[0]} and the other parts do not hold every shard once; build them again")
