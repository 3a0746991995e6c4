"""What a gallery build will do: the photos, their names, and the folder it writes to."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procrop.io.manifest import MANIFEST_NAME, manifest_kind, sha256_file
from procrop.io.photo import list_photos
from procrop.structures.boxes import normalise_boxes, xyxy_to_cxcywh

from .gallery_format import (
    INDEX_FILE,
    KEYS,
    KIND,
    LOCK_FILE,
    PARTS,
    PHOTOS,
    PREVIOUS_FILE,
    REJECTED_FILE,
    TOKENS,
    TRANSFORM_FILE,
    GalleryError,
    GalleryItem,
)


@dataclass
class PlannedPhoto:
    """An item with its name, what its file holds, and its annotations as they will be compared.

    Attributes:
        item: What was asked for.
        name: Path relative to the photo folder, with forward slashes.
        source_id: The item's, or the name without suffix.
        sha256: Hex SHA-256 of the file once `hash_photo` has read it; None when it cannot be read.
        stamp: Size and time of change of the file when it was hashed.
    """

    item: GalleryItem
    name: str
    source_id: str
    sha256: str | None = None
    stamp: tuple[int, int] | None = None

    def hash_photo(self) -> None:
        """Fill in what the photo's file holds."""
        try:
            self.stamp = self.current_stamp()
            self.sha256 = sha256_file(self.item.path)
        except OSError:
            self.sha256 = None

    def current_stamp(self) -> tuple[int, int]:
        """Size and time of change of the file as it is now.

        Raises:
            OSError: It is not there.
        """
        status = os.stat(self.item.path)
        return status.st_size, status.st_mtime_ns

    def request(self) -> list:
        """What was asked for, as JSON values."""
        return [self.name, self.source_id, _digest(self.item.crops), _digest(self.item.scores)]

    def signature(self) -> list:
        """All that decides what the photo puts into the gallery, as JSON values."""
        return [self.sha256, *self.request()]


def _digest(values: np.ndarray | None) -> list | None:
    """Shape and hash of numbers, NaN among them or not."""
    if values is None:
        return None
    array = np.ascontiguousarray(values, np.float64)
    return [list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]


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
        plans.append(PlannedPhoto(item, name, item.source_id or os.path.splitext(name)[0]))
    if not plans:
        raise GalleryError(f"{photo_root}: no photos found; a gallery needs at least one")
    return plans


def prepare_folder(folder: Path, photo_root: Path, allowed: str = KIND) -> None:
    """Make the folder; refuse one that is used for something else or holds the photos themselves.

    Args:
        folder: Where a gallery, or a part of one, will be written.
        photo_root: Where the photos are.
        allowed: Kind of manifest that may be there.

    Raises:
        GalleryError: The folder cannot be used; the message says why.
    """
    if folder.is_dir():
        kind = manifest_kind(folder)
        if kind not in (None, allowed):
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


def _foreign_names(folder: Path) -> list[str]:
    """Names in ``folder`` that no gallery build writes."""
    own = {PHOTOS, KEYS, TOKENS, PARTS, TRANSFORM_FILE, REJECTED_FILE, PREVIOUS_FILE, MANIFEST_NAME}
    # an index may keep files of its own beside the one named `index`
    beginnings = (".", LOCK_FILE, INDEX_FILE)
    return sorted(p.name for p in folder.iterdir() if p.name not in own and not p.name.startswith(beginnings))


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


def relative_root(photo_root: Path, folder: Path) -> str:
    """The photo folder as seen from the gallery, so that both can be moved together."""
    try:
        return Path(os.path.relpath(photo_root.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return photo_root.resolve().as_posix()
