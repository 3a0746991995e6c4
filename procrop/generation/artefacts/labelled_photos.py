"""Outpainted photos that somebody has sorted into good and bad."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from procrop.io import PhotoError, list_photos, read_photo
from procrop.io.manifest import sha256_file
from procrop.io.progress import progress
from procrop.networks.artefact_classifier import CLASSES, classifier_pixels

SOURCE_PATTERN = r"(.+)_\d+"
_LAYOUT = "put outpainted photos into its folders good and bad"
# no share of fewer sources can be held out sensibly
_FEWEST_SOURCES = 5


@dataclass(frozen=True)
class LabelledPhoto:
    """A sorted photo.

    Attributes:
        path: Its file.
        bad: Whether it lies in ``bad``.
        source: Photo that it was made from; all of a source are held out together.
        sha256: Of the file's bytes.
    """

    path: Path
    bad: bool
    source: str
    sha256: str

    @property
    def number(self) -> int:
        """The photo as an integer, for the seeds of its draws."""
        return int(self.sha256[:12], 16)


def labelled_photos(folder: str | os.PathLike, source_pattern: str = SOURCE_PATTERN) -> list[LabelledPhoto]:
    """The photos below ``good`` and ``bad`` of a folder, sorted by path.

    Args:
        folder: The folder.
        source_pattern: Regular expression whose first group, where it fits a whole name without suffix, is the
            source; by default everything before a last underscore and number, as the pipeline names its photos.
            A name that it does not fit is its own source.

    Raises:
        PhotoError: One of the folders is missing or holds no photo.
        ValueError: The pattern is none, or has no group; there are too few sources to hold some out.
    """
    try:
        pattern = re.compile(source_pattern)
    except re.error as error:
        raise ValueError(f"source pattern {source_pattern!r} is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise ValueError(f"source pattern {source_pattern!r} needs a group, e.g. {SOURCE_PATTERN!r}")
    folder = Path(folder)
    if not folder.is_dir():
        raise PhotoError(folder, "the folder does not exist", _LAYOUT)
    found = []
    for name in CLASSES:
        for path in list_photos(folder / name):
            match = pattern.fullmatch(path.stem)
            source = path.stem if match is None else match.group(1)
            found.append(LabelledPhoto(path, name == "bad", source, sha256_file(path)))
    sources = len({photo.source for photo in found})
    if sources < _FEWEST_SOURCES:
        raise ValueError(
            f"{folder}: {len(found)} photos of {sources} sources are too few to hold some out; add photos, or if these "
            f"are not the sources, say how names begin with --source-pattern (it is {source_pattern!r})"
        )
    return found


def held_out(photos: Sequence[LabelledPhoto], share: float, seed: int) -> np.ndarray:
    """(n,) bool: which photos are held out. By source; another photo more or less moves no other one.

    Raises:
        ValueError: One side has no good or no bad photo.
    """
    sources = sorted({photo.source for photo in photos}, key=lambda source: _rank(source, seed))
    out = set(sources[: max(1, round(share * len(sources)))])
    mask = np.array([photo.source in out for photo in photos])
    bad = np.array([photo.bad for photo in photos])
    for side, of in (("held-out", mask), ("training", ~mask)):
        for name, label in (("good", ~bad), ("bad", bad)):
            if not (of & label).any():
                raise ValueError(
                    f"there is no {name} photo on the {side} side: add photos, or take another seed"
                )
    return mask


def _rank(source: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {source}".encode("utf-8", "surrogateescape")).hexdigest()


def read_pixels(
    photos: Sequence[LabelledPhoto],
) -> tuple[list[LabelledPhoto], np.ndarray, list[tuple[Path, str]]]:
    """Photos at the classifier's size.

    Returns:
        Those that can be read, their pixels (n, 128, 128, 3) uint8, and (path, reason) of the others.
    """
    good, pixels, rejected = [], [], []
    for photo in progress(photos, len(photos), "reading"):
        try:
            pixels.append(classifier_pixels(read_photo(photo.path)))
            good.append(photo)
        except PhotoError as error:
            rejected.append((photo.path, error.reason))
    return good, np.stack(pixels) if pixels else np.zeros((0, 1, 1, 3), np.uint8), rejected
