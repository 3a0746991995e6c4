"""From a config to a dataset: the pipeline as a whole.

    source ─► read ─► steps on the source photo ─► steps on each expansion ─► photo + record ─► annotations, card, …
    (list)            (once a photo)               (expansions times)         (commit unit)     (when all are there)

Everything an item becomes is a function of the config and the source photo. So a run that was killed goes on where it
was and ends with the same bytes, and it does not matter which process made which item.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from procrop.io.manifest import MANIFEST_NAME
from procrop.io.progress import progress

from .errors import GenerationError
from .item_maker import ItemMaker
from .output import DatasetCounts, write_dataset
from .run_folder import prepare_folder, remove_leftovers, writing_part
from .settings import GenerationSettings
from .source_photos import PhotoList, SourcePhoto, list_source_photos
from .worker_pool import make_items


@dataclass(frozen=True)
class Generated:
    """What a run did.

    Attributes:
        made: Items made now.
        items: Items of this process's part, made now or before, dropped ones among them.
        dataset: Counts of the finished dataset; None when this process made a part of it.
    """

    made: int
    items: int
    dataset: DatasetCounts | None


def generate(
    settings: GenerationSettings,
    out: Path,
    *,
    part: int = 0,
    parts: int = 1,
    finish: bool | None = None,
    workers: int = 1,
    threads: int = 1,
    limit: int | None = None,
    before_finish: Callable[[], None] | None = None,
) -> Generated:
    """Make a dataset, or bring the one in ``out`` up to date.

    Args:
        settings: The generation.
        out: Folder of the dataset.
        part: Which part of the source photos to work on, from 0; a photo's part is a hash of its id.
        parts: How many parts there are.
        finish: Write annotations and all else at the end; None does so when there is one part.
        workers: Processes.
        threads: Threads of numerical libraries in each.
        limit: Take the first source photos only.
        before_finish: Called before annotations are written: waits for the processes of other parts.

    Raises:
        GenerationError: As its parts say; nothing has been made then but what is whole.
        ValueError, OSError: From sources and steps, likewise.
    """
    if not 0 <= part < parts:
        raise GenerationError(f"part {part} of {parts}: they are counted from 0 to {parts - 1}")
    if workers < 1 or threads < 1:
        raise GenerationError(f"workers and threads must be at least 1, not {workers} and {threads}")
    maker = ItemMaker(settings, out)
    listed = list_source_photos(settings.sources, limit)
    prepare_folder(out, listed.roots)
    own = [photo for photo in listed.photos if part_of(photo, parts) == part]
    try:
        with writing_part(out, part, parts):
            (out / MANIFEST_NAME).unlink(missing_ok=True)  # until the end the dataset is in the making
            made = sum(_shown(maker, own, part, parts, workers, threads))
            if before_finish is not None:
                before_finish()
            counts = _finish(maker, listed, limit) if finish or (finish is None and parts == 1) else None
    finally:
        maker.close()
    return Generated(made, len(own) * settings.expansions, counts)


def part_of(photo: SourcePhoto, parts: int) -> int:
    """The part that a photo belongs to; photos that come or go change nothing for the others."""
    digest = hashlib.sha256(photo.id.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % parts


def _shown(
    maker: ItemMaker, photos: list[SourcePhoto], part: int, parts: int, workers: int, threads: int
) -> Iterator[int]:
    """Items made of each photo, while a bar shows how many are done."""
    label = "expanding" if parts == 1 else f"expanding {part}/{parts}"

    def items() -> Iterator[int]:
        for made, there in make_items(maker, photos, workers, threads):
            yield made
            yield from [0] * (there - 1)

    yield from progress(items(), len(photos) * maker.settings.expansions, label)


def _finish(maker: ItemMaker, listed: PhotoList, limit: int | None) -> DatasetCounts:
    counts = write_dataset(maker, listed, remove_others=limit is None)
    remove_leftovers(maker.items.root)
    return counts
