"""What a gallery build will do: the photos, their names, and the folder it writes to."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procrop.io.manifest import MANIFEST_NAME, sha256_file
from procrop.io.photo import list_photos
from procrop.structures.boxes import normalise_boxes, xyxy_to_cxcywh

from .gallery_format import (
    INDEX_FILE,
    KEYS,
    KIND,
    LOCK_FILE,
    PHOTOS,
    REJECTED_FILE,
    TOKENS,
    TRANSFORM_FILE,
    GalleryError,
    GalleryItem,
)


@dataclass
class PlannedPhoto:
    """An item with its name, what its file holds, and its annotations as they will be compared."""

    item: GalleryItem
    name: str
    source_id: str
    sha256: str | None

    def signature(self) -> list:
        """All that decides what the photo puts into the gallery, as JSON values."""
        crops = None if self.item.crops is None else np.asarray(self.item.crops, np.float64).tolist()
        scores = None if self.item.scores is None else np.asarray(self.item.scores, np.float64).tolist()
        return [self.name, self.source_id, self.sha256, crops, scores]


def items_from_folder(root: str | os.PathLike) -> list[GalleryItem]:
    """All photos below ``root``, sorted by name, without annotations."""
    return [GalleryItem(path) for path in list_photos(root)]


def plan_photos(items: Iterable[GalleryItem], photo_root: Path) -> list[PlannedPhoto]:
    """Name every photo relative to ``photo_root``; refuse repeats and photos outside it."""
    plans, seen = [], set()
    # not resolve(): a photo that is a symbolic link keeps its own name
    root = Path(os.path.abspath(photo_root))
    for item in items:
        try:
            name = Path(os.path.abspath(item.path)).relative_to(root).as_posix()
        except ValueError:
            raise GalleryError(f"{item.path}: not inside the photo folder {photo_root}") from None
        if name in seen:
            raise GalleryError(f"{item.path}: given twice; each photo may be in the list once")
        seen.add(name)
        plans.append(PlannedPhoto(item, name, item.source_id or os.path.splitext(name)[0], None))
    if not plans:
        raise GalleryError(f"{photo_root}: no photos found; a gallery needs at least one")
    return plans


def prepare_folder(folder: Path, photo_root: Path) -> None:
    """Make the folder; refuse one that is used for something else or holds the photos themselves."""
    if folder.is_dir():
        kind = _manifest_kind(folder)
        if kind not in (None, KIND):
            raise GalleryError(f"{folder}: holds a {kind}; choose another folder for the gallery")
        if kind is None and (foreign := _foreign_names(folder)):
            raise GalleryError(f"{folder}: holds other files ({foreign[0]}); choose a new or empty folder")
    if photo_root.is_dir() and folder.is_dir() and folder.samefile(photo_root):
        raise GalleryError(f"{folder}: is the photo folder itself; choose another folder for the gallery")
    try:
        (folder / PHOTOS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GalleryError(
            f"{folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error


def _manifest_kind(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _foreign_names(folder: Path) -> list[str]:
    """Names in ``folder`` that no gallery build writes."""
    own = {PHOTOS, KEYS, TOKENS, TRANSFORM_FILE, INDEX_FILE, REJECTED_FILE, MANIFEST_NAME}
    return sorted(
        p.name for p in folder.iterdir() if p.name not in own and not p.name.startswith((".", LOCK_FILE))
    )


def normalised_crops(item: GalleryItem, width: int, height: int) -> tuple[list | None, list | None]:
    """An item's crops as normalised cxcywh and its scores, as JSON values; None, None without annotations.

    Raises:
        ValueError: Values that are not finite, or not one score per crop.
    """
    if item.crops is None:
        return None, None
    crops = np.asarray(item.crops, np.float64).reshape(-1, 4)
    given = np.zeros(len(crops)) if item.scores is None else item.scores
    scores = np.asarray(given, np.float64).reshape(-1)
    if len(scores) != len(crops) or not (np.isfinite(crops).all() and np.isfinite(scores).all()):
        raise ValueError("its crop annotations are not finite, or not one score per crop")
    boxes = xyxy_to_cxcywh(normalise_boxes(crops, (width, height)))
    return np.round(boxes, 6).tolist(), np.round(scores, 6).tolist()


def try_sha256(path: str | os.PathLike) -> str | None:
    """SHA-256 of a file, or None when it cannot be read."""
    try:
        return sha256_file(path)
    except OSError:
        return None


def relative_root(photo_root: Path, folder: Path) -> str:
    """The photo folder as seen from the gallery, so that both can be moved together."""
    try:
        return Path(os.path.relpath(photo_root.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return photo_root.resolve().as_posix()
