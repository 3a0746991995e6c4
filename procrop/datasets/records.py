"""Annotated crops as plain records, the same whatever files they came from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .problems import Problems

# what a crop without a score counts as where one is needed: each was drawn as a good one
UNSCORED_MOS = 5.0


@dataclass(frozen=True, eq=False)
class CropRecord:
    """One unit of evaluation: a photo (or a photo and one of its subjects) with its annotated crops.

    Attributes:
        img_id: Unique within its set.
        photo: The photo's name relative to the set's photo folder, with "/".
        boxes: (n, 4) float64 ``xyxy`` in pixels of the upright original photo, in file order.
        scores: (n,) float64 as in the file (mean over the annotators); None where the format gives none, so that
            every crop is equally good.
        source_id: Equal for records made from one original photo; by default ``img_id``.
        size: (width, height) in pixels where the annotation says it; None otherwise.
        subject: (4,) float64 ``xyxy`` box of the subject that the crops are for, or None.
        mask: The subject's mask, a name relative to the set's photo folder like ``photo``, or None.
        tags: Subsets that the record belongs to, e.g. ``("human",)``.
        extra: What else the format says, as JSON values (provenance, licence). ``extra["split"]`` is the split that
            the record was read from, where the format has splits.
    """

    img_id: str
    photo: str
    boxes: np.ndarray
    scores: np.ndarray | None = None
    source_id: str = ""
    size: tuple[int, int] | None = None
    subject: np.ndarray | None = None
    mask: str | None = None
    tags: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "boxes", np.asarray(self.boxes, np.float64).reshape(-1, 4))
        if self.scores is not None:
            put(self, "scores", np.asarray(self.scores, np.float64).reshape(-1))
            if len(self.scores) != len(self.boxes):
                raise ValueError(f"{self.img_id}: {len(self.scores)} scores for {len(self.boxes)} crops")
        if self.subject is not None:
            put(self, "subject", np.asarray(self.subject, np.float64).reshape(4))
        put(self, "source_id", self.source_id or self.img_id)
        put(self, "tags", tuple(self.tags))


@dataclass
class CropSet:
    """The records of one dataset or split.

    Attributes:
        name: Name of the format they were read from.
        records: In the order of the files.
        photos: Folder that the photos' names are relative to.
        problems: What was left out, and why.
    """

    name: str
    records: list[CropRecord]
    photos: Path
    problems: Problems = field(default_factory=Problems)

    def __len__(self) -> int:
        return len(self.records)

    def photo_path(self, record: CropRecord) -> Path:
        """Where the record's photo lies, present or not."""
        return self.photos / record.photo

    def missing_photos(self) -> list[str]:
        """Names of photos that are not on the disk, without repetition, in the order of the records."""
        names = dict.fromkeys(record.photo for record in self.records)
        return [name for name in names if not os.path.isfile(self.photos / name)]
