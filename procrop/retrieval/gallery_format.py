"""How a gallery lies on the disk: names, versions, the lines of the photo table.

A gallery folder holds::

    manifest.json            kind, version, fingerprint, SHA-256 per file, configuration; written last
    photos/<shard>.jsonl     the photo table: per shard a header line, then one line per photo
    keys/                    FeatureStore of the encoder's raw keys, float32 (d_raw,)
    tokens/                  FeatureStore of the encoder's tokens, float16 (m, d_r); absent without tokens
    key_transform.npz        what the key transform learned from the raw keys
    index, index*            the vector index over the transformed keys, and what else that index keeps
    rejected.jsonl           photos that could not be used, and why
    thumbnails/              only in a published gallery: small JPEGs in place of the photos
    credits.jsonl            only in a published gallery: title, author and licence of each photo
    previous.json            only while a new state is being finished: the manifest of the one before
    parts/<process>/         only while several processes build: the shards that each has made
    build.lock               only while a build runs

A shard is named by what it was made of (see gallery_shards); the manifest lists the shards in order.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

KIND, PART_KIND = "gallery", "gallery part"
VERSION = 2
PHOTOS, KEYS, TOKENS, PARTS = "photos", "keys", "tokens", "parts"
TRANSFORM_FILE, INDEX_FILE = "key_transform.npz", "index"
REJECTED_FILE, PREVIOUS_FILE, LOCK_FILE = "rejected.jsonl", "previous.json", "build.lock"
THUMBNAILS, CREDITS_FILE = "thumbnails", "credits.jsonl"


class GalleryError(ValueError):
    """A gallery that cannot be built or used; the message names the file or folder and the remedy."""


@dataclass(frozen=True)
class PhotoCredit:
    """Whose a photo is and under which terms, as far as its source says.

    Attributes:
        licence: Name of the licence.
        title: Title of the photo.
        author: Who made it.
        url: Where it was published.
    """

    licence: str | None = None
    title: str | None = None
    author: str | None = None
    url: str | None = None


@dataclass
class GalleryItem:
    """A photo to be put into a gallery.

    Attributes:
        path: Where the photo is.
        source_id: Name of its source; photos of one source are never references for each other. None takes
            the photo's name in the gallery without suffix.
        crops: (c, 4) xyxy in pixels of the upright photo, or None when the photo is not annotated.
        scores: (c,) score of each crop, in the annotators' units.
        credit: Licence and author, for what is made from the photo; a gallery keeps them when it is published.
    """

    path: str | os.PathLike
    source_id: str | None = None
    crops: np.ndarray | None = None
    scores: np.ndarray | None = None
    credit: PhotoCredit = PhotoCredit()


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


def rejected_lines(rejected: Iterable[tuple[str, str]]) -> str:
    """Text of ``rejected.jsonl``."""
    return "".join(json.dumps({"name": n, "reason": r}, ensure_ascii=True) + "\n" for n, r in rejected)
