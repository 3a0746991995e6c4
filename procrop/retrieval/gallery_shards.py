"""The shards of a gallery: a slice of its photos with their rows, named by what it was made of.

Shard ``s`` is three files: ``keys/s.npy``, ``tokens/s.npy`` (where there are tokens) and ``photos/s.jsonl``, which is
written last and so marks the shard as complete. The name is the beginning of the plan's hash, which covers the
encoders and the shard's photos. So a shard is never overwritten by another one, several states of a gallery lie side
by side while it is brought up to date, and whoever finds a shard of the right name may take it, no matter which
process made it.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.io.atomic import atomic_write, sync_folder, temporary_name, write_text
from procrop.io.manifest import sha256_file, sha256_json

from .feature_store import write_rows
from .gallery_format import KEYS, PHOTOS, TOKENS, GalleryError, PhotoRecord


@dataclass
class ShardTable:
    """The part of the photo table that belongs to one shard.

    Attributes:
        plan: SHA-256 over the maker and the shard's photos.
        maker: `GalleryDesign.maker` of its rows.
        records: The shard's photos; a photo's place is its row in the shard.
        rejected: (name, reason) of photos that could not be used.
        files: SHA-256 of the shard's file in each feature store.
    """

    plan: str
    maker: str
    records: list[PhotoRecord] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def shard_name(plan: str) -> str:
    """Name of the shard with that plan."""
    return plan[:16]


def shard_files(name: str, stores: Iterable[str]) -> list[str]:
    """A shard's files relative to its folder, the one that marks it as complete last."""
    return [*(f"{store}/{name}.npy" for store in sorted(stores)), f"{PHOTOS}/{name}.jsonl"]


def read_shard_table(folder: Path, name: str) -> ShardTable:
    """Read a shard's part of the photo table.

    Raises:
        FileNotFoundError: No such shard.
        GalleryError: The file is damaged.
    """
    path = folder / PHOTOS / f"{name}.jsonl"
    try:
        header, *lines = path.read_text(encoding="ascii").splitlines()
        header = json.loads(header)
        intact = header.pop("sha256") == sha256_json([header, lines])
        records = [PhotoRecord(**json.loads(line)) for line in lines]
        rejected = [(name, reason) for name, reason in header["rejected"]]
        table = ShardTable(header["plan"], header["maker"], records, rejected, dict(header["files"]))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GalleryError(f"{path}: damaged ({error}); build the gallery again") from error
    if not intact:
        raise GalleryError(f"{path}: its bytes have changed since it was written; build the gallery again")
    return table


class ShardFolder:
    """A folder of shards: a gallery, a part of one, or one process's share of it.

    Args:
        folder: The folder; it need not exist before the first `write`.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    def write(self, table: ShardTable, rows: dict[str, np.ndarray]) -> None:
        """Write a shard.

        Args:
            table: Its photos; ``files`` is filled in.
            rows: Per feature store the rows (n, ...) of the n photos.

        Raises:
            OSError: The disk is full or cannot be written; the shard is then not there.
        """
        name = shard_name(table.plan)
        table.files = {
            store: write_rows(self.folder / store / f"{name}.npy", values) for store, values in rows.items()
        }
        lines = [record.to_line() for record in table.records]
        header = {
            "plan": table.plan,
            "maker": table.maker,
            "files": table.files,
            "rejected": [list(entry) for entry in table.rejected],
        }
        header["sha256"] = sha256_json([header, lines])
        text = "\n".join([json.dumps(header, sort_keys=True, ensure_ascii=True), *lines])
        write_text(self.folder / PHOTOS / f"{name}.jsonl", text + "\n")

    def names(self) -> list[str]:
        """Names of the complete shards, sorted."""
        return sorted(path.stem for path in (self.folder / PHOTOS).glob("*.jsonl"))

    def find(self, plan: str) -> ShardTable | None:
        """The table of the shard with that plan, once every byte of it was checked; None unless it is intact."""
        name = shard_name(plan)
        try:
            table = read_shard_table(self.folder, name)
            if table.plan != plan:
                return None
            for store, digest in table.files.items():
                if sha256_file(self.folder / store / f"{name}.npy") != digest:
                    return None
        except (OSError, GalleryError):
            return None
        return table

    def rows(self, name: str, store: str) -> np.ndarray:
        """A shard's rows (n, ...) in a feature store, as a memory map where there are any."""
        path = self.folder / store / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # an array without rows cannot be mapped
            return np.load(path, allow_pickle=False)

    def adopt(self, other: "ShardFolder", names: Iterable[str], move: bool) -> None:
        """Take shards over from another folder.

        Args:
            other: Where they are.
            names: Which.
            move: Take them away from there (same file system), instead of linking or copying them.
        """
        folders = set()
        for name in names:
            for file in shard_files(name, read_shard_table(other.folder, name).files):
                source, target = other.folder / file, self.folder / file
                if target.parent not in folders:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    folders.add(target.parent)
                if move:
                    os.replace(source, target)
                else:
                    _link_or_copy(source, target)
        for folder in folders:
            sync_folder(folder)

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove all shards but these."""
        kept = set(names)
        for folder, suffix in ((PHOTOS, ".jsonl"), (KEYS, ".npy"), (TOKENS, ".npy")):
            # tables first: a shard without one is incomplete and harmless
            for path in (self.folder / folder).glob(f"*{suffix}"):
                if path.stem not in kept:
                    path.unlink(missing_ok=True)

    def remove_temporary(self) -> None:
        """Remove what killed builds left half-written; to be called by the one who holds the folder's lock."""
        for folder in ("", PHOTOS, KEYS, TOKENS):
            for path in (self.folder / folder).glob(".*.tmp"):
                path.unlink(missing_ok=True)


def _link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file as ``source``, or an equal one where links cannot reach."""
    temporary = temporary_name(target)
    try:
        os.link(source, temporary)
    except OSError:
        with open(source, "rb") as read, atomic_write(target) as written:
            shutil.copyfileobj(read, written)
        return
    os.replace(temporary, target)
    # renaming a link over another link to the same file leaves both
    temporary.unlink(missing_ok=True)
