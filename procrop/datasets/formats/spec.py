"""How a dataset is named on a command line: ``FORMAT:ROOT[:SPLIT]``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import FORMATS, get_format

if TYPE_CHECKING:
    from ..records import CropSet
    from .base import CropFormat

#: for the help of every option that takes one
SYNTAX = "FORMAT:ROOT[:SPLIT]"


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset, or one split of it, as a person names it.

    Attributes:
        format: Name of the format, e.g. "flms".
        root: The dataset's folder.
        split: One of the format's splits; None takes all of it.
    """

    format: str
    root: Path
    split: str | None = None

    def __str__(self) -> str:
        return f"{self.format}:{self.root}" + (f":{self.split}" if self.split else "")

    @property
    def reader(self) -> "CropFormat":
        """The format that reads and writes it."""
        return get_format(self.format)

    def read(self, strict: bool = True) -> "CropSet":
        """Read its records; see `CropFormat.read`, also for what is raised."""
        return self.reader.read(self.root, self.split, strict)


def parse_spec(text: str) -> DatasetSpec:
    """Read ``FORMAT:ROOT[:SPLIT]``, e.g. ``flms:data/flms`` or ``gaicv2:data/gaicv2:test``.

    What follows the last colon is a split if the format has one of that name, or if the folder that the colon would
    belong to does not exist; so a folder with a colon in its name can be given, too.

    Raises:
        ValueError: It is something else, the format is unknown or has no such split.
    """
    name, colon, rest = text.partition(":")
    if not colon or not name or not rest:
        known = ", ".join(sorted(FORMATS))
        raise ValueError(f"a dataset is named {SYNTAX}, e.g. flms:data/flms, not {text!r} (formats: {known})")
    known_splits = get_format(name).splits
    root, colon, split = rest.rpartition(":")
    if not colon or not root:
        return DatasetSpec(name, Path(rest))
    if split in known_splits:
        return DatasetSpec(name, Path(root), split)
    # a path goes on behind this colon: "C:\data", "odd:name/flms"
    if "/" in split or "\\" in split or Path(rest).exists():
        return DatasetSpec(name, Path(rest))
    splits = ", ".join(known_splits) or "none"
    raise ValueError(f"{text!r}: the format {name} has no split {split!r} (its splits: {splits})")
