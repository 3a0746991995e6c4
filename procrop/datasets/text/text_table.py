"""Captions and text tokens of a dataset's photos, as training and testing read them."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from procrop.io.manifest import ManifestError, read_manifest, sha256_file
from procrop.retrieval.feature_store import STORE_NAME, FeatureStore, FeatureStoreError

from .captions import Caption, read_captions
from .text_format import (
    BUILD,
    CAPTIONS_FILE,
    INDEX_FILE,
    KIND,
    TOKENS,
    VERSION,
    IndexLine,
    TextTableError,
    hash_caption,
)


class TextEntry(NamedTuple):
    """What a photo's text is.

    Attributes:
        caption: The caption.
        tokens: (m', d_t) float16, the tokens of photo and caption, without padding.
    """

    caption: str
    tokens: np.ndarray


class TextTable:
    """The text of a dataset's photos, read from the folder that tools/text.py makes.

    Opening it compares every caption with the one that was encoded, and sees whether the files are whole; their bytes
    are checked by `verify_text`.

    Attributes:
        folder: Where it is.
        manifest: The folder's manifest.
        captions: Photo id to caption, those of photos without tokens included.
        index: Photo id to its place and what its tokens were made of.
        fingerprint: Hex SHA-256 of the encoder (`TextEncoder.fingerprint`).
        caption_fingerprint: That of the caption model; None for an encoder that writes no captions.
        token_dim: Width d_t of a token.
        max_tokens: The largest m' that the encoder gives.
        encoder_cfg: Config that builds the encoder again.
    """

    def __init__(
        self, folder: Path, manifest: dict, captions: dict[str, Caption], index: dict[str, IndexLine]
    ) -> None:
        self.folder, self.manifest, self.captions, self.index = folder, manifest, captions, index
        extra = manifest["extra"]
        self.fingerprint: str = manifest["fingerprint"]
        self.caption_fingerprint: str | None = extra["caption_fingerprint"]
        self.token_dim: int = extra["token_dim"]
        self.max_tokens: int = extra["max_tokens"]
        self.encoder_cfg: dict = extra["encoder"]
        self._store = FeatureStore.open(folder / TOKENS)

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "TextTable":
        """Open the text in ``folder``.

        Raises:
            TextTableError: It is absent, unfinished, damaged, of another version, or a caption was edited and not
                encoded since.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise TextTableError(f"{folder}: no such text folder; make it: {BUILD}")
        try:
            manifest = read_manifest(folder, KIND, VERSION)
            _check_files(folder, manifest)
            index = read_index(folder / INDEX_FILE)
            captions = read_captions(folder / CAPTIONS_FILE)
            table = cls(folder, manifest, captions, index)
        except (ManifestError, FeatureStoreError, KeyError, TypeError) as error:
            raise TextTableError(f"{error} ({BUILD})") from error
        except FileNotFoundError as error:
            raise TextTableError(f"{error.filename}: missing; make it again: {BUILD}") from error
        _check_captions(folder / CAPTIONS_FILE, captions, index)
        return table

    def __len__(self) -> int:
        """Number of photos that have tokens."""
        return sum(line.length > 0 for line in self.index.values())

    def __contains__(self, img_id: str) -> bool:
        """Whether a photo has a caption and tokens."""
        line = self.index.get(img_id)
        return line is not None and line.length > 0

    @property
    def ids(self) -> list[str]:
        """The photos that have tokens, in the order of the dataset."""
        return [img_id for img_id in self.index if img_id in self]

    def lookup(self, img_id: str) -> TextEntry:
        """Caption and tokens of a photo.

        Raises:
            TextTableError: It has none, or its file of tokens is damaged.
        """
        if img_id not in self:
            raise TextTableError(
                f"{self.folder}: no caption and tokens of {img_id!r} in it; make them: {BUILD}"
            )
        line = self.index[img_id]
        try:
            tokens = self._store.read(np.arange(line.start, line.start + line.length))
        except (FeatureStoreError, IndexError) as error:
            raise TextTableError(f"{error} ({BUILD})") from error
        return TextEntry(self.captions[img_id].text, tokens)

    def info(self) -> dict[str, object]:
        """What the folder holds, by a name for each figure."""
        lines = [line for line in self.index.values() if line.length]
        lengths = [line.length for line in lines]
        sources = [self.captions[line.id].source for line in lines]
        edited = sum(line.generated not in (None, line.caption) for line in lines)
        return {
            "photos": len(lines),
            "captions": f"{sources.count('generated')} generated (of these {edited} edited), "
            f"{sources.count('given')} given",
            "tokens": f"{sum(lengths)}, {min(lengths)} to {max(lengths)} a photo, mean {np.mean(lengths):.1f}"
            if lengths
            else "none",
            "token_dim": self.token_dim,
            "max_tokens": self.max_tokens,
            "encoder": json.dumps(self.encoder_cfg),
            "fingerprint": self.fingerprint,
            "caption model": self.caption_fingerprint or "none",
        }


def _check_files(folder: Path, manifest: dict) -> None:
    """Refuse a folder whose small files have other bytes, or whose large files another size, than the manifest says."""
    for name, noted in manifest["files"].items():
        path = folder / name
        if name == CAPTIONS_FILE:  # people may edit it; every caption in it is compared
            continue
        if path.stat().st_size != noted["bytes"]:
            reason = f"{path.stat().st_size} bytes, but the manifest says {noted['bytes']}"
        elif name in (INDEX_FILE, f"{TOKENS}/{STORE_NAME}") and sha256_file(path) != noted["sha256"]:
            reason = "its bytes have changed since it was written"
        else:
            continue
        raise TextTableError(f"{path}: damaged ({reason}); make it again: {BUILD}")


def read_index(path: Path) -> dict[str, IndexLine]:
    """Read ``index.jsonl``: photo id to entry.

    Raises:
        OSError: There is no such file.
        ValueError, TypeError: It is damaged.
    """
    entries = (IndexLine(**json.loads(line)) for line in path.read_text(encoding="ascii").splitlines())
    return {entry.id: entry for entry in entries}


def _check_captions(path: Path, captions: dict[str, Caption], index: dict[str, IndexLine]) -> None:
    """Refuse captions that are not those that were encoded."""
    changed = [
        f"line {caption.line}: the caption of {img_id!r} "
        + ("has no tokens yet" if img_id not in index else "was changed since its tokens were made")
        for img_id, caption in captions.items()
        if img_id not in index or index[img_id].caption != hash_caption(caption.text)
    ]
    changed += [f"the caption of {img_id!r} was removed" for img_id in index if img_id not in captions]
    if changed:
        more = f" (and {len(changed) - 1} more like this)" if len(changed) > 1 else ""
        raise TextTableError(f"{path}: {changed[0]}{more}; encode what changed: {BUILD}")
