"""What a file format of annotated crops is: how to read a folder into records, and how to write records into one."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..errors import AnnotationError, DatasetNotFoundError
from ..problems import Problems
from ..records import CropRecord, CropSet
from .names import flat_photo

# pixels by which a crop may leave its photo and still be taken for a rounding error, and clipped
BORDER_TOLERANCE = 2.0
NO_NUMBER = "NaN, infinite or absurdly large number"
_LARGEST = 1e6


class CropFormat(ABC):
    """A release layout of annotated crops. Neither reading nor writing needs torch.

    Attributes:
        name: Short name for the command line, e.g. "flms".
        title: The dataset's name for people.
        splits: Names of its splits; empty for a set without.
        carries: What a written file keeps of a record beside photo and crops; see :func:`.losses.note_losses`.
        needs_scores: Whether its files cannot say that crops have no score.
        layout: The expected files below the root, one a line, for messages and documentation.
        source: Where the files come from, one line.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[frozenset[str]] = frozenset()
    needs_scores: ClassVar[bool] = False
    layout: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def load(self, root: Path, split: str | None, problems: Problems) -> tuple[Path, list[CropRecord]]:
        """Read the files.

        Args:
            root: The dataset's folder.
            split: One of ``splits``, or None for all of it.
            problems: Takes what cannot be used.

        Returns:
            The folder of the photos, and the records in the order of the files.

        Raises:
            DatasetNotFoundError: Through :meth:`not_found`, when the files are not there.
        """

    @abstractmethod
    def save(self, records: CropSet, root: Path, split: str | None, problems: Problems) -> None:
        """Write records in this layout, annotations only; what the format cannot carry goes into ``problems``.

        Args:
            records: What to write; ``records.photos`` may be asked for photo sizes.
            root: Folder to write below; files of the same name are replaced.
            split: One of ``splits``, or None.
            problems: Takes what this format has no place for (scores, several crops, subjects, ...), once a kind.
        """

    def places(self, record: CropRecord, split: str | None = None) -> dict[str, str]:
        """Where :meth:`save` expects a record's files, for whoever copies or links them.

        Formats that hold one record a photo name photos after ``img_id``, for a photo may have several records.

        Args:
            record: A record of the set that is saved.
            split: As given to ``save``.

        Returns:
            Name relative to the set's photo folder -> name relative to the root that is written.
        """
        return {record.photo: f"images/{flat_photo(record)}"}

    def read(self, root: str | os.PathLike, split: str | None = None, strict: bool = True) -> CropSet:
        """Read a dataset, or one split of it.

        Args:
            root: The dataset's folder.
            split: One of ``splits``; None reads all.
            strict: Raise for what cannot be used, instead of leaving it out and reporting it.

        Returns:
            At least one record; in lenient mode ``problems`` says what was left out.

        Raises:
            ValueError: The split is unknown.
            DatasetNotFoundError: The files are not there.
            AnnotationError: Something cannot be used (strict), or nothing can.
        """
        if split is not None and split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise ValueError(f"{self.title} has no split {split!r} (its splits: {known})")
        problems = Problems()
        photos, loaded = self.load(Path(root), split, problems)
        records, seen = [], set()
        for record in loaded:
            if record.img_id in seen:
                problems.add(f"{root} ({record.img_id!r})", "record listed twice")
                continue
            seen.add(record.img_id)
            records.append(record)
        if strict:
            problems.raise_if_any()
        if not records:
            raise AnnotationError(
                f"{root}: {self.title}{f' split {split!r}' if split else ''} has no usable record; "
                f"{problems.summary() or 'its annotation files are empty'}"
            )
        return CropSet(self.name, records, photos, problems)

    def not_found(self, root: Path, reason: str) -> DatasetNotFoundError:
        """The error that says which files are expected and where they come from."""
        layout = "".join(f"\n  {line.format(root=root)}" for line in self.layout.strip().splitlines())
        return DatasetNotFoundError(
            f"{self.title} was not found in {str(root)!r}: {reason}.\nExpected files:{layout}\n{self.source}"
        )


def box_fault(box: Sequence[float], size: tuple[float, float] | None = None) -> str | None:
    """Say what is wrong with one crop ``(x1, y1, x2, y2)`` in pixels, if anything is.

    Args:
        box: Four numbers.
        size: (width, height) of the photo where known; a crop may leave it by ``BORDER_TOLERANCE``.
    """
    if not all(math.isfinite(value) and abs(value) < _LARGEST for value in box):
        return NO_NUMBER
    x1, y1, x2, y2 = box
    if x2 <= x1 or y2 <= y1:
        return "crop without area"
    if min(x1, y1) < -BORDER_TOLERANCE:
        return "crop outside its photo"
    if size and (x2 > size[0] + BORDER_TOLERANCE or y2 > size[1] + BORDER_TOLERANCE):
        return "crop outside its photo"
    return None


def sound_boxes(
    boxes: np.ndarray, place: str, problems: Problems, size: tuple[float, float] | None = None
) -> np.ndarray:
    """Tell which rows (n, 4) ``xyxy`` are crops; the others go into ``problems`` under ``place``.

    Returns:
        (n,) bool.
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    # false for NaN in every comparison
    sound = (np.abs(boxes) < _LARGEST).all(axis=1) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
    sound &= (boxes[:, :2] >= -BORDER_TOLERANCE).all(axis=1)
    if size:
        sound &= (boxes[:, 2:] <= np.asarray(size, np.float64) + BORDER_TOLERANCE).all(axis=1)
    for row in np.flatnonzero(~sound):
        problems.add(f"{place} (crop {row + 1})", box_fault(boxes[row].tolist(), size))
    return sound
