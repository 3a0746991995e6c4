"""What a written file does not keep of a record."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..problems import Problems
from ..records import UNSCORED_MOS, CropRecord

if TYPE_CHECKING:
    from .base import CropFormat

_WORDS = {
    "scores": "scores",
    "source_id": "source ids",
    "subject": "subjects",
    "mask": "masks",
    "tags": "tags",
    "extra": "further fields",
}


def note_losses(target: "CropFormat", records: Iterable[CropRecord], problems: Problems) -> None:
    """Report what the records have and the format's ``carries`` lacks, by record, with one reason a kind.

    A photo's size is not counted: the photo has it.
    """
    for record in records:
        for kind in _kinds(record) - target.carries:
            problems.add(record.img_id, f"{target.title} has no place for {_WORDS[kind]}")
        if target.needs_scores and record.scores is None:
            problems.add(
                record.img_id, f"{target.title} needs scores; crops without are written as {UNSCORED_MOS:g}"
            )


def further_fields(record: CropRecord) -> dict[str, object]:
    """``extra`` without the split, which formats keep in their own way."""
    return {key: value for key, value in record.extra.items() if key != "split"}


def _kinds(record: CropRecord) -> set[str]:
    found = dict(
        scores=record.scores is not None,
        source_id=record.source_id != record.img_id,
        subject=record.subject is not None,
        mask=record.mask is not None,
        tags=bool(record.tags),
        extra=bool(further_fields(record)),
    )
    return {kind for kind, present in found.items() if present}
