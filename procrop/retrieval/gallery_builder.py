"""Building a gallery, in one process or in several that see the same folder."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from procrop.io.lock import is_locked
from procrop.io.progress import progress

from .gallery import Gallery
from .gallery_design import GalleryDesign
from .gallery_finish import expected_extra, finish_gallery, remove_leftovers
from .gallery_format import LOCK_FILE, PARTS, GalleryError, GalleryItem
from .gallery_shards import ShardFolder, shard_name
from .gallery_work import GalleryWork, find_shard

# seconds after which the first process gives up on another one that does not run
PATIENCE = 600.0
_POLL = 0.2


def build_gallery(
    folder: str | os.PathLike,
    items: Iterable[GalleryItem],
    retrieval: dict,
    photo_root: str | os.PathLike,
    *,
    refit: bool = False,
    processes: int = 1,
    **options: Any,
) -> Gallery:
    """Build a gallery, or bring the one in ``folder`` up to date.

    A build that was killed goes on where it was, and one whose photos are unchanged ends at once. When photos have
    come or gone anywhere in the list, only new ones are encoded, and a key transform that was fitted before stays as
    it is. Interrupted and uninterrupted builds give the same bytes on one machine, however many processes take part.
    Photos that cannot be used are set aside with their reason. Until an update is nearly finished, the gallery can
    be used as it was.

    Args:
        folder: The gallery; made when absent.
        items: Photos in the order of their ids.
        retrieval: Config with ``backbone``, and optionally ``token_backbone``, ``key_transform`` and ``index``.
        photo_root: Folder that holds all photos; their names are relative to it.
        refit: Fit the key transform anew, to the photos there are now.
        processes: How many build it. This one encodes every n-th shard, waits for the others (`build_share`), and
            finishes the gallery.
        **options: ``shard_size`` (photos per shard: what a kill can cost), ``workers`` (threads that read photos),
            ``backbone``, ``token_backbone`` (encoders that are made already) and ``on_cost`` of `GalleryWork`.

    Returns:
        The finished gallery.

    Raises:
        GalleryError: No usable photo, a name given twice, a photo outside ``photo_root``, a folder that
            cannot be written or holds something else, a disk with too little space, or a build that is running there.
        ValueError: A config that does not fit.
        OSError: The disk is full; what was finished is kept.
    """
    work = GalleryWork(folder, items, retrieval, photo_root, processes=processes, **options)
    with work, work.locked():
        signed = work.writer.sign(work.numbers)
        names = [shard_name(plan) for plan in signed.values()]
        if not refit and _is_up_to_date(work.folder, work.design, names, work.photo_root):
            remove_leftovers(work.folder)
        else:
            found = work.locate(signed)
            work.write_missing(signed, found)
            awaited = {n: plan for n, plan in signed.items() if n not in found}
            if awaited:
                found.update(progress(_arrivals(work.folder, awaited, processes), len(awaited), "waiting"))
            for number, shards in found.items():
                if shards.folder != work.folder:
                    work.target.adopt(shards, [shard_name(signed[number])], move=True)
            finish_gallery(work.folder, work.design, names, work.photo_root, refit)
    return Gallery.open(folder)


def build_share(
    folder: str | os.PathLike,
    items: Iterable[GalleryItem],
    retrieval: dict,
    photo_root: str | os.PathLike,
    rank: int,
    processes: int,
    **options: Any,
) -> None:
    """Encode the share of process ``rank`` (from 1) of a gallery that `build_gallery` finishes.

    All processes are given the same list and see the same folder. They agree by shard names alone: a share goes into
    ``parts/<rank>`` of the gallery, and the first process takes the shards that it waits for from there.

    Args and raises: as `build_gallery`.
    """
    share = Path(folder) / PARTS / str(rank)
    with GalleryWork(folder, items, retrieval, photo_root, rank, processes, share, **options) as work:
        signed = work.writer.sign(work.own)
        found = work.locate(signed)
        # with nothing to do, no folder is made: the first process may be about to remove it
        if len(found) < len(signed):
            with work.locked():
                work.write_missing(signed, found)


def _is_up_to_date(folder: Path, design: GalleryDesign, names: list[str], photo_root: Path) -> bool:
    """Whether the folder already holds exactly the gallery that this build would make."""
    try:
        gallery = Gallery.open(folder)
    except ValueError:
        return False
    expected = expected_extra(folder, design, names, photo_root)
    extra = gallery.manifest["extra"]
    if {key: extra.get(key) for key in expected} != expected:
        return False
    try:
        gallery.index  # noqa: B018 (a server that is down is no reason to take the gallery apart)
    except ValueError:
        return False
    return not gallery.verify(photos=False)


def _arrivals(folder: Path, awaited: dict[int, str], processes: int) -> Iterator[tuple[int, ShardFolder]]:
    """Number and place of each shard of other processes, as soon as it is there.

    Raises:
        GalleryError: A process does not run and has not finished its share.
    """
    awaited, last_sign = dict(awaited), time.monotonic()
    while awaited:
        for number, plan in list(awaited.items()):
            if (shards := find_shard(folder, plan)) is not None:
                del awaited[number]
                last_sign = time.monotonic()
                yield number, shards
        ranks = sorted({number % processes for number in awaited})
        if any(is_locked(folder / PARTS / str(rank) / LOCK_FILE) for rank in ranks):
            last_sign = time.monotonic()
        if awaited and time.monotonic() - last_sign > PATIENCE:
            raise GalleryError(
                f"{folder}: process {ranks[0]} of {processes} (counted from 0) does not run and has not finished its "
                f"share of {len(awaited)} shard(s), or photos were changed meanwhile; start the same command again: "
                f"what is finished is kept"
            )
        if awaited:
            time.sleep(_POLL)
