"""How a gallery lies on the disk: names, versions, the photo table and its lines.

A gallery folder holds::

    manifest.json            kind, version, fingerprint, SHA-256 per file, configuration; written last
    photos/00000.jsonl ...   the photo table: per shard a header line, then one line per photo
    keys/                    FeatureStore of the encoder's raw keys, float32 (d_raw,)
    tokens/                  FeatureStore of the encoder's tokens, float16 (m, d_r); absent without tokens
    key_transform.npz        what the key transform learned from the raw keys
    index                    the vector index over the transformed keys
    rejected.jsonl           photos that could not be used, and why
    build.lock               only while a build runs
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_text
from procrop.io.manifest import sha256_json

KIND = "gallery"
VERSION = 1
PHOTOS, KEYS, TOKENS = "photos", "keys", "tokens"
TRANSFORM_FILE, INDEX_FILE = "key_transform.npz", "index"
REJECTED_FILE, LOCK_FILE = "rejected.jsonl", "build.lock"


class GalleryError(ValueError):
    """A gallery that cannot be built or used; the message names the file or folder and the remedy."""


@dataclass
class GalleryItem:
    """A photo to be put into a gallery.

    Attributes:
        path: Where the photo is.
        source_id: Name of its source; photos of one source are never references for each other. None takes
            the photo's name in the gallery without suffix.
        crops: (c, 4) xyxy in pixels of the upright photo, or None when the photo is not annotated.
        scores: (c,) score of each crop, in the annotators' units.
    """

    path: str | os.PathLike
    source_id: str | None = None
    crops: np.ndarray | None = None
    scores: np.ndarray | None = None


@dataclass
class PhotoRecord:
    """A photo in the gallery's table; its id is its row.

    Attributes:
        name: Path relative to the photo folder, with forward slashes.
        source_id: See `GalleryItem`.
        width: Width of the upright photo in pixels.
        height: Height of the upright photo in pixels.
        sha256: Hex SHA-256 of the photo's file.
        crops: Per crop cx, cy, w, h in [0, 1] of the photo; None without annotations.
        scores: Score per crop.
    """

    name: str
    source_id: str
    width: int
    height: int
    sha256: str
    crops: list[list[float]] | None = None
    scores: list[float] | None = None

    def to_line(self) -> str:
        """The record as one line of JSON."""
        record = {k: v for k, v in self.__dict__.items() if v is not None}
        return json.dumps(record, sort_keys=True, ensure_ascii=True, allow_nan=False)


@dataclass
class ShardTable:
    """The part of the photo table that belongs to one shard.

    Attributes:
        plan: SHA-256 over the encoder and the shard's photos; a shard is kept when a new build plans the
            same.
        records: The shard's photos.
        rejected: (name, reason) of photos that could not be used.
    """

    plan: str
    records: list[PhotoRecord] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)


def shard_table_name(shard: int) -> str:
    """Name of a shard's part of the photo table, relative to the gallery."""
    return f"{PHOTOS}/{shard:05d}.jsonl"


def write_shard_table(folder: Path, shard: int, table: ShardTable) -> None:
    """Write a shard's part of the photo table; it is written last of a shard and so marks it as complete."""
    lines = [record.to_line() for record in table.records]
    header = {"plan": table.plan, "rejected": [list(entry) for entry in table.rejected]}
    header["sha256"] = sha256_json([header, lines])
    text = "\n".join([json.dumps(header, sort_keys=True, ensure_ascii=True), *lines])
    write_text(folder / shard_table_name(shard), text + "\n")


def read_shard_table(folder: Path, shard: int) -> ShardTable:
    """Read a shard's part of the photo table.

    Raises:
        FileNotFoundError: No such shard.
        GalleryError: The file is damaged.
    """
    path = folder / shard_table_name(shard)
    try:
        header, *lines = path.read_text(encoding="ascii").splitlines()
        header = json.loads(header)
        intact = header.pop("sha256") == sha256_json([header, lines])
        records = [PhotoRecord(**json.loads(line)) for line in lines]
        table = ShardTable(header["plan"], records, [(name, reason) for name, reason in header["rejected"]])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GalleryError(f"{path}: damaged ({error}); build the gallery again") from error
    if not intact:
        raise GalleryError(f"{path}: its bytes have changed since it was written; build the gallery again")
    return table


def rejected_lines(rejected: Iterable[tuple[str, str]]) -> str:
    """Text of ``rejected.jsonl``."""
    return "".join(json.dumps({"name": n, "reason": r}, ensure_ascii=True) + "\n" for n, r in rejected)


def gallery_fingerprint(backbone_fingerprint: str, key_transform: dict | list | None) -> str:
    """Fingerprint of what made keys and tokens: the encoder and the kind of key transform.

    What a transform has learned from one gallery stays out: a model takes any gallery made by the same encoder.
    The learned state is covered by the manifest's hash, which changes with every byte of the gallery.
    """
    return sha256_json({"backbone": backbone_fingerprint, "key_transform": key_transform})


def portable_config(retrieval: dict) -> dict:
    """The retrieval config as plain JSON values, without the device, dtype and batch size it ran with.

    Raises:
        ValueError: No encoder, or a key that means nothing.
    """
    known = ("backbone", "key_transform", "index")
    unknown = sorted(set(retrieval) - set(known))
    if unknown or not retrieval.get("backbone"):
        what = f"unknown key {unknown[0]!r}" if unknown else "no backbone"
        raise ValueError(f"retrieval config: {what}; it takes {', '.join(known)}")
    config = json.loads(json.dumps({key: retrieval.get(key) for key in known}))
    for key in ("device", "dtype", "batch_size"):
        config["backbone"].pop(key, None)
    return config
