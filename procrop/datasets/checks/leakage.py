"""Photos of a dataset that are in a gallery or in another dataset too, under their own or another name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from procrop.io.manifest import sha256_file
from procrop.io.photo import PhotoError

from .near_duplicates import THRESHOLD, matching_pairs
from .thumbnails import ThumbnailCache, read_thumbnails

_SHOWN = 5
SAME_FILE, SAME_PICTURE = "the same file", "the same picture"
SAME_NAME, OTHER_PICTURE = "the same name, pictures not compared", "the same name, another picture"


@dataclass
class PhotoList:
    """Photos to compare with others.

    Attributes:
        paths: Their files, present or not.
        names: What to call them, one each.
        sources: Source of each; photos of one source are no twins of each other.
        thumbnails: (256,) uint16 by position, of those that could be read.
        sha256: Hash of the file by position, where known.
    """

    paths: Sequence[Path]
    names: Sequence[str]
    sources: Sequence[str]
    thumbnails: dict[int, np.ndarray] = field(default_factory=dict)
    sha256: dict[int, str] = field(default_factory=dict)

    def read(
        self, cache: ThumbnailCache | None = None, workers: int = 2, desc: str = "photos"
    ) -> "PhotoList":
        """Make the thumbnails that are not there yet; a photo that is missing or unreadable stays without."""
        wanted = [i for i, path in enumerate(self.paths) if i not in self.thumbnails and path.is_file()]
        results = read_thumbnails([self.paths[i] for i in wanted], cache, workers, desc)
        self.thumbnails |= {
            i: result for i, result in zip(wanted, results, strict=True) if not isinstance(result, PhotoError)
        }
        return self

    def keys(self, position: int) -> set[str]:
        """What the photo may be called elsewhere: its file's name without folder and suffix, and its source."""
        name, source = (PurePosixPath(text) for text in (self.names[position], self.sources[position]))
        return {name.stem.casefold(), source.name.casefold()} - {""}


@dataclass
class Leak:
    """A photo that is elsewhere too.

    Attributes:
        photo: Its name in the dataset.
        other: The name there.
        how: SAME_FILE, SAME_PICTURE, SAME_NAME or OTHER_PICTURE; the last one is no leak.
        correlation: Of the thumbnails; None where not both could be made.
    """

    photo: str
    other: str
    how: str
    correlation: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dict(vars(self))


def find_leaks(mine: PhotoList, other: PhotoList, threshold: float = THRESHOLD) -> list[Leak]:
    """Photos of ``mine`` that are in ``other``: by file, by picture, and by name.

    Args:
        mine: The photos in question, e.g. of a test set.
        other: Those that they must not be among, e.g. of a gallery or a training set.
        threshold: Correlation of thumbnails from which two photos count as one picture.

    Returns:
        In the order of ``mine``; of each photo at most five of the other list, the most alike first.
    """
    found: dict[int, dict[int, Leak]] = defaultdict(dict)
    for i, j, likeness in _alike(mine, other, threshold):
        found[i][j] = Leak(mine.names[i], other.names[j], SAME_PICTURE, likeness)
    _add_files(mine, other, found)
    _add_names(mine, other, found)
    leaks = []
    for i in sorted(found):
        ranked = sorted(found[i].items(), key=lambda pair: (-(pair[1].correlation or 0), pair[0]))
        leaks += [leak for _, leak in ranked[:_SHOWN]]
    return leaks


def find_twins(mine: PhotoList, threshold: float = THRESHOLD) -> list[Leak]:
    """Pairs of photos of one list that show one picture and are not of one source; each photo at most five times."""
    twins, seen = [], defaultdict(int)
    for i, j, likeness in _alike(mine, None, threshold):
        if mine.sources[i] != mine.sources[j] and seen[i] < _SHOWN:
            seen[i] += 1
            twins.append(Leak(mine.names[i], mine.names[j], SAME_PICTURE, likeness))
    return twins


def _alike(mine: PhotoList, other: PhotoList | None, threshold: float) -> list[tuple[int, int, float]]:
    rows = sorted(mine.thumbnails)
    columns = rows if other is None else sorted(other.thumbnails)
    if not rows or not columns:
        return []
    stacks = [np.stack([mine.thumbnails[i] for i in rows]), None]
    if other is not None:
        stacks[1] = np.stack([other.thumbnails[j] for j in columns])
    return [(rows[a], columns[b], likeness) for a, b, likeness in matching_pairs(*stacks, threshold)]


def _add_files(mine: PhotoList, other: PhotoList, found: dict[int, dict[int, Leak]]) -> None:
    """Files with the same bytes: pairs that look alike, and whatever the other side knows by its hash alone."""
    by_hash: dict[str, list[int]] = defaultdict(list)
    for j, value in other.sha256.items():
        by_hash[value].append(j)
    for i, path in enumerate(mine.paths):
        if not by_hash and i not in found:
            continue
        own = mine.sha256.get(i) or (sha256_file(path) if path.is_file() else None)
        alike = {j for j in found.get(i, ()) if j not in other.sha256 and other.paths[j].is_file()}
        same = {j for j in alike if own == sha256_file(other.paths[j])} | set(by_hash.get(own, ()))
        for j in sorted(same):
            found[i][j] = Leak(mine.names[i], other.names[j], SAME_FILE, 1.0)


def _add_names(mine: PhotoList, other: PhotoList, found: dict[int, dict[int, Leak]]) -> None:
    by_key: dict[str, list[int]] = defaultdict(list)
    for j in range(len(other.names)):
        for key in other.keys(j):
            by_key[key].append(j)
    for i in range(len(mine.names)):
        for j in sorted({j for key in mine.keys(i) for j in by_key.get(key, ())} - found.get(i, {}).keys()):
            compared = i in mine.thumbnails and j in other.thumbnails
            found[i][j] = Leak(mine.names[i], other.names[j], OTHER_PICTURE if compared else SAME_NAME)
