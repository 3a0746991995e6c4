"""What every process that takes part in a build does: plan, hash, encode what is missing, under a lock."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType

from procrop.io import writing

from .backbones.base import RetrievalBackbone
from .gallery_cost import GalleryCost, check_space, estimate_cost
from .gallery_encoders import GalleryEncoders
from .gallery_finish import previous_manifest
from .gallery_format import KIND, LOCK_FILE, PARTS, GalleryError, GalleryItem
from .gallery_plan import plan_photos, prepare_folder
from .gallery_reuse import EncodedPhotos
from .gallery_shards import ShardFolder, shard_name
from .gallery_writer import ShardWriter


class GalleryWork:
    """A process's work on a gallery; a context manager around the threads that read photos.

    Args:
        folder: The gallery, or a part that stands for itself.
        items: All photos of the gallery, in the order of their ids.
        retrieval: Config with ``backbone``, and optionally ``token_backbone``, ``key_transform`` and ``index``.
        photo_root: Folder that holds all photos.
        rank: Which process this is, from 0.
        processes: How many share the work; every n-th shard belongs to the same one.
        target: Where this process writes; None is ``folder``.
        kind: What ``folder`` holds when it is finished.
        shard_size: Photos per shard.
        workers: Threads that read photos.
        backbone: The encoder of keys, when it is made already.
        token_backbone: The encoder of tokens, likewise.
        on_cost: Told what the gallery will take before anything is encoded.

    Raises:
        GalleryError: Photos or a folder that cannot be used.
        ValueError: A config that does not fit.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        items: Iterable[GalleryItem],
        retrieval: dict,
        photo_root: str | os.PathLike,
        rank: int = 0,
        processes: int = 1,
        target: Path | None = None,
        kind: str = KIND,
        *,
        shard_size: int = 256,
        workers: int = 2,
        backbone: RetrievalBackbone | None = None,
        token_backbone: RetrievalBackbone | None = None,
        on_cost: Callable[[GalleryCost], None] | None = None,
    ) -> None:
        self.folder, self.photo_root = Path(folder), Path(photo_root)
        if shard_size < 1 or workers < 1:
            raise ValueError(f"shard_size and workers must be at least 1, not {shard_size} and {workers}")
        if not 0 <= rank < processes:
            raise ValueError(f"process {rank} of {processes}: they are counted from 0 to {processes - 1}")
        self.rank, self.processes, self.kind = rank, processes, kind
        self.plans = plan_photos(items, self.photo_root)
        prepare_folder(self.folder, self.photo_root, kind)
        encoders = GalleryEncoders(retrieval, backbone, token_backbone)
        self.design = encoders.design()
        self.cost = estimate_cost(encoders, len(self.plans))
        if on_cost is not None:
            on_cost(self.cost)
        self.target = ShardFolder(target or self.folder)
        self.writer = ShardWriter(self.target, self.plans, encoders, self.design, shard_size, workers)
        self.numbers = range(len(self.writer.shards))
        self.own = self.numbers[rank::processes]

    def __enter__(self) -> "GalleryWork":
        self.writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.__exit__(kind, error, trace)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the folder that this process writes to; see `writing_to`."""
        with writing_to(self.target.folder):
            self.target.remove_temporary()
            yield

    def photos_in(self, numbers: Iterable[int]) -> int:
        """Photos in these shards."""
        return sum(len(self.writer.shards[n]) for n in numbers)

    def locate(self, signed: dict[int, str]) -> dict[int, ShardFolder]:
        """Where shards are that are there already, intact."""
        found = {n: find_shard(self.folder, plan) for n, plan in signed.items()}
        return {n: shards for n, shards in found.items() if shards is not None}

    def write_missing(self, signed: dict[int, str], found: dict[int, ShardFolder]) -> None:
        """Write this process's shards that are not ``found``, and add them there."""
        missing = {n: signed[n] for n in self.own if n not in found}
        # the process that finishes the gallery writes the index too
        finishes = self.target.folder == self.folder and self.kind == KIND
        check_space(self.target.folder, self.cost, self.photos_in(missing), indexed=finishes)
        if missing:
            label = "encoding" if self.processes == 1 else f"encoding {self.rank + 1}/{self.processes}"
            known = EncodedPhotos(self._earlier_shards(signed), self.design.maker)
            self.writer.write(missing, known, self.photos_in(self.own), label)
        found.update(dict.fromkeys(missing, self.target))

    def _earlier_shards(self, signed: dict[int, str]) -> Iterator[tuple[ShardFolder, str]]:
        """Shards that may hold rows of photos of this list, in an order that a kill does not change."""
        gallery, listed = ShardFolder(self.folder), []
        if (previous := previous_manifest(self.folder)) is not None:
            listed = previous["extra"]["shards"]
            yield from ((gallery, name) for name in listed)
        if self.processes > 1 and self.kind == KIND:
            return  # further shards may be what other processes make right now
        passed = {shard_name(plan) for plan in signed.values()}.union(listed)
        for shards in shard_folders(self.folder):
            yield from ((shards, name) for name in shards.names() if name not in passed)


def shard_folders(folder: Path) -> list[ShardFolder]:
    """All folders of a gallery in the making that may hold shards; the gallery last, for shards move there."""
    parts = folder / PARTS
    found = sorted(path for path in parts.iterdir() if path.is_dir()) if parts.is_dir() else []
    return [*(ShardFolder(path) for path in found), ShardFolder(folder)]


def find_shard(folder: Path, plan: str) -> ShardFolder | None:
    """Where the shard with that plan is, intact; None when it is nowhere."""
    return next((shards for shards in shard_folders(folder) if shards.find(plan) is not None), None)


def writing_to(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of a gallery's folder; see `procrop.io.writing`, which raises GalleryErrors here."""
    return writing.writing_to(folder, LOCK_FILE, GalleryError)
