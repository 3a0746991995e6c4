"""The photos of a distillation: those of the gallery and further ones, and which of them are held out."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procrop.io.manifest import sha256_file
from procrop.io.photo import list_photos

from ..gallery import Gallery
from ..gallery_format import GalleryError

_FEWEST = 10


@dataclass(frozen=True)
class DistillPhoto:
    """A photo to learn from, or to be tested on.

    Attributes:
        path: Where it is.
        sha256: Hex SHA-256 of its file: its identity in every random draw.
        source_id: Photos of one source are held out together, and are never neighbours of each other.
        gallery_id: Its id in the gallery; None for a further photo, whose key the teacher has to give.
    """

    path: Path
    sha256: str
    source_id: str
    gallery_id: int | None = None

    @property
    def number(self) -> int:
        """The photo as an integer below 2**64, to seed draws with."""
        return int(self.sha256[:16], 16)


def collect_photos(
    gallery: Gallery, folders: Iterable[str | os.PathLike] = ()
) -> tuple[list[DistillPhoto], list[tuple[str, str]]]:
    """All photos, each content once: the gallery's by id, then those of ``folders`` by path.

    A copy of a photo that is there already adds nothing and is passed over.

    Returns:
        The photos, and (path, reason) of those that cannot be used: a gallery photo that is gone or has changed since
        its key was made.

    Raises:
        GalleryError: Too few are left.
        PhotoError: A folder cannot be listed or holds no photo.
    """
    found: dict[str, DistillPhoto] = {}
    rejected: list[tuple[str, str]] = []
    for i, record in enumerate(gallery.records):
        path = gallery.photo_path(i)
        try:
            if sha256_file(path) != record.sha256:
                rejected.append((str(path), "the photo has changed since the gallery was built"))
                continue
        except OSError as error:
            rejected.append((str(path), f"the photo cannot be read ({error.strerror})"))
            continue
        found.setdefault(record.sha256, DistillPhoto(path, record.sha256, record.source_id, i))
    if len(found) < _FEWEST:
        hint = f"; first: {rejected[0][0]}: {rejected[0][1]}" if rejected else ""
        raise GalleryError(
            f"{gallery.folder}: {len(found)} photos to learn from, {_FEWEST} are needed{hint}; take a larger gallery, "
            f"or name the folder that its photos were moved to (--photo-root)"
        )
    for folder in folders:
        for path in list_photos(folder):
            try:
                digest = sha256_file(path)
            except OSError as error:
                rejected.append((str(path), f"the photo cannot be read ({error.strerror})"))
                continue
            # a name no gallery source can have
            found.setdefault(digest, DistillPhoto(path, digest, f"\0{digest}"))
    return list(found.values()), rejected


def held_out(photos: Sequence[DistillPhoto], share: float, seed: int | str) -> np.ndarray:
    """Mask (n,) of a share of the photos: whole sources, drawn by (seed, source)."""
    sources = sorted(
        {p.source_id for p in photos}, key=lambda s: hashlib.sha256(f"{seed} {s}".encode()).digest()
    )
    number = min(max(1, round(share * len(sources))), len(sources) - 1)
    chosen = set(sources[:number])
    return np.array([p.source_id in chosen for p in photos])


def source_numbers(names: Sequence[str]) -> np.ndarray:
    """Names (n,) as integers (n,) int64: equal where the names are."""
    return np.unique(np.asarray(names, np.str_), return_inverse=True)[1].astype(np.int64)
