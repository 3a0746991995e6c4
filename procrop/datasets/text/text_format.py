"""How the text of a dataset lies on the disk: names, versions, the lines of the index.

A text folder holds::

    captions.jsonl         one line per photo, for people: id, caption, source; may be edited
    index.jsonl            one line per photo: where its tokens are, and what they were made of
    tokens/                FeatureStore of single tokens, float16 (d_t,); a photo's tokens lie side by side
    tokens/<chunk>.json    what a chunk of rows was made of (see chunks)
    rejected.jsonl         photos that have no tokens, and why
    manifest.json          kind, version, fingerprints, encoder, SHA-256 per file; written last
    drafts/                only while a build runs: captions that were generated so far
    parts/<i>of<n>/        only while several processes build: what each has made
    build.lock             only while a build runs
"""

import hashlib
import json
import os
from dataclasses import dataclass

KIND, VERSION = "text", 1
CAPTIONS_FILE, INDEX_FILE, REJECTED_FILE = "captions.jsonl", "index.jsonl", "rejected.jsonl"
TOKENS, DRAFTS, PARTS = "tokens", "drafts", "parts"
LOCK_FILE = "build.lock"
BUILD = "python tools/text.py build CONFIG"
# why a photo has no tokens, or none now
NOT_FINITE = (
    "its text tokens are no finite float16 numbers: take dtype='float32' for the encoder, or other weights"
)


class TextTableError(ValueError):
    """The text of a dataset that cannot be built or used; the message names the file and the remedy."""


@dataclass(frozen=True)
class TextPhoto:
    """A photo that gets text.

    Attributes:
        id: Its name in its dataset (``img_id``).
        path: Where its file is.
    """

    id: str
    path: str | os.PathLike


@dataclass(frozen=True)
class IndexLine:
    """A photo in the index.

    Attributes:
        id: Its name in its dataset.
        caption: Hex SHA-256 of the caption.
        generated: That of the caption as it was generated, before anybody edited it; None for one that was given.
        photo: That of the photo's file; None where the tokens are those of the caption alone.
        start: Row of its first token.
        length: Number of its tokens; 0 where there are none.
    """

    id: str
    caption: str
    generated: str | None
    photo: str | None
    start: int
    length: int

    def to_line(self) -> str:
        """The entry as one line of JSON."""
        return json.dumps(self.__dict__, sort_keys=True, ensure_ascii=True) + "\n"


def hash_caption(caption: str) -> str:
    """Hex SHA-256 of a caption; any change of it gives another."""
    return hashlib.sha256(caption.encode("utf-8", "surrogatepass")).hexdigest()


def portable_encoder(config: dict) -> dict:
    """An encoder's config as plain JSON values, without the device, dtype and batch size that it ran with."""
    plain = json.loads(json.dumps(config))
    return {key: value for key, value in plain.items() if key not in ("device", "dtype", "batch_size")}
