"""Chunks of a text folder: the tokens of some photos that follow each other, named by what they were made of.

Chunk ``c`` is two files: ``tokens/c.npy``, its rows, and ``tokens/c.json``, which is written last and so marks the
chunk as complete. The name is the beginning of the plan's hash, which covers the encoder and the chunk's photos and
captions. So no chunk is ever overwritten by another one, and whoever finds a chunk of the right name may take it, no
matter which process made it.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from procrop.io.atomic import sync_folder, write_text
from procrop.io.manifest import sha256_file, sha256_json
from procrop.retrieval.feature_store import STORE_NAME, write_rows

from .text_format import TOKENS, TextTableError


class Made(NamedTuple):
    """A photo in a chunk: its name, the hash of its caption and of its file (None where only the caption counts), and
    the number of its tokens."""

    id: str
    caption: str
    photo: str | None
    length: int


@dataclass
class ChunkTable:
    """What a chunk holds.

    Attributes:
        plan: SHA-256 over the encoder, the photos and their captions.
        maker: Fingerprint of the encoder.
        made: The photos that have tokens, in the order of their rows.
        rejected: (id, reason) of photos that have none.
        sha256: Hex SHA-256 of the file of rows.
    """

    plan: str
    maker: str
    made: list[Made] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    sha256: str = ""

    @property
    def rows(self) -> int:
        """Number of tokens."""
        return sum(made.length for made in self.made)


def chunk_name(plan: str) -> str:
    """Name of the chunk with that plan."""
    return plan[:16]


def chunk_files(name: str) -> list[str]:
    """A chunk's files relative to the text folder, the one that marks it as complete last."""
    return [f"{TOKENS}/{name}.npy", f"{TOKENS}/{name}.json"]


class ChunkFolder:
    """A folder of chunks: a text folder, or the part of one that a process makes.

    Args:
        folder: The folder; it need not exist before the first `write`.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    def write(self, table: ChunkTable, rows: np.ndarray) -> None:
        """Write a chunk.

        Args:
            table: What it holds; ``sha256`` is filled in.
            rows: (n, d_t) float16 tokens of its photos.

        Raises:
            OSError: The disk is full or cannot be written; the chunk is then not there.
        """
        rows_file, table_file = (self.folder / file for file in chunk_files(chunk_name(table.plan)))
        table.sha256 = write_rows(rows_file, rows)
        record = {**table.__dict__, "made": [list(made) for made in table.made]}
        record["rejected"] = [list(entry) for entry in table.rejected]
        record["check"] = sha256_json(record)
        write_text(table_file, json.dumps(record, sort_keys=True, ensure_ascii=True) + "\n")

    def names(self) -> list[str]:
        """Names of the complete chunks, sorted."""
        files = (self.folder / TOKENS).glob("*.json")
        return sorted(path.stem for path in files if path.name != STORE_NAME)

    def read(self, name: str) -> ChunkTable:
        """What a chunk holds.

        Raises:
            FileNotFoundError: No such chunk.
            TextTableError: The file is damaged.
        """
        path = self.folder / chunk_files(name)[1]
        try:
            record = json.loads(path.read_text(encoding="ascii"))
            intact = record.pop("check") == sha256_json(record)
            table = ChunkTable(**record)
            table.made = [Made(*made) for made in table.made]
            table.rejected = [(img_id, reason) for img_id, reason in table.rejected]
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise TextTableError(f"{path}: damaged ({error})") from error
        if not intact:
            raise TextTableError(f"{path}: its bytes have changed since it was written")
        return table

    def find(self, plan: str) -> ChunkTable | None:
        """The table of the chunk with that plan, once every byte of it was checked; None unless it is intact."""
        name = chunk_name(plan)
        try:
            table = self.read(name)
            intact = sha256_file(self.folder / chunk_files(name)[0]) == table.sha256
        except (OSError, TextTableError):
            return None
        return table if intact and table.plan == plan else None

    def rows(self, name: str) -> np.ndarray:
        """A chunk's rows (n, d_t) float16, as a memory map where there are any."""
        path = self.folder / chunk_files(name)[0]
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except ValueError:  # an array without rows cannot be mapped
            return np.load(path, allow_pickle=False)

    def adopt(self, other: "ChunkFolder", name: str) -> None:
        """Take a chunk away from another folder of the same file system."""
        (self.folder / TOKENS).mkdir(parents=True, exist_ok=True)
        for file in chunk_files(name):
            os.replace(other.folder / file, self.folder / file)
        sync_folder(self.folder / TOKENS)

    def keep_only(self, names: Iterable[str]) -> None:
        """Remove all other chunks, and what killed builds left half-written; for the holder of the folder's lock."""
        kept = {STORE_NAME, *(Path(file).name for name in names for file in chunk_files(name))}
        for path in (self.folder / TOKENS).iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)


class KnownTokens:
    """Tokens that an earlier build has made, found by photo, caption and photo file.

    Args:
        folders: Where to look, the preferred ones first; chunks of another encoder and damaged ones are passed over.
        maker: Fingerprint of the encoder.
    """

    def __init__(self, folders: Iterable[ChunkFolder], maker: str) -> None:
        self._places: dict[tuple[str, str, str | None], tuple[ChunkFolder, str, int, int]] = {}
        self._plans: dict[str, str] = {}
        self._intact: dict[tuple[ChunkFolder, str], bool] = {}
        for folder, name, table in _tables(folders):
            if table.maker != maker:
                continue
            self._plans[name], start = table.plan, 0
            for made in table.made:
                self._places.setdefault(made[:3], (folder, name, start, made.length))
                start += made.length

    def find(self, img_id: str, caption: str, photo: str | None) -> np.ndarray | None:
        """The tokens (m', d_t) float16 of a photo; None when they were never made, or are damaged.

        Args:
            img_id: The photo's name.
            caption: Hash of its caption.
            photo: Hash of its file; None where only the caption counts.
        """
        place = self._places.get((img_id, caption, photo))
        if place is None:
            return None
        folder, name, start, length = place
        if (folder, name) not in self._intact:
            self._intact[folder, name] = folder.find(self._plans[name]) is not None
        return np.array(folder.rows(name)[start : start + length]) if self._intact[folder, name] else None


def makers(folders: Iterable[ChunkFolder]) -> set[str]:
    """Fingerprints of the encoders of all chunks."""
    return {table.maker for _, _, table in _tables(folders)}


def _tables(folders: Iterable[ChunkFolder]) -> Iterator[tuple[ChunkFolder, str, ChunkTable]]:
    for folder in folders:
        for name in folder.names():
            try:
                yield folder, name, folder.read(name)
            except (OSError, TextTableError):
                continue
