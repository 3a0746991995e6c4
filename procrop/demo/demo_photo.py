"""A photo that a visitor has brought."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from procrop.inference import CropRequest, CropResult

_LONGEST_NAME = 120  # characters
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|]')


@dataclass(eq=False)
class DemoPhoto:
    """A photo of a session.

    Attributes:
        id: its name in the session, of letters and digits.
        name: what people call it; no two photos of a session are called the same.
        path: its file in the session's folder; None for a rejected one.
        size: (width, height) of the upright photo.
        thumbnail: (h, w, 3) uint8.
        rejected: why it cannot be cropped at all, or None.
        asked: gallery and request that ``result`` answers.
        number: of that answer; another answer of the same photo has another one.
        result: its crops, without the photo.
    """

    id: str
    name: str
    path: "Path | None" = None
    size: tuple[int, int] | None = None
    thumbnail: "np.ndarray | None" = None
    rejected: str | None = None
    asked: "tuple[str | None, CropRequest] | None" = None
    number: int = 0
    result: "CropResult | None" = None

    def crop_name(self, rank: int, suffix: str) -> str:
        """File name of a crop, counted from 0: ``holiday_1.jpg``."""
        return f"{PurePath(self.name).stem}_{rank + 1}{suffix}"


def clean_name(name: str, taken: list[str]) -> str:
    """A file's name as any system can take it, unlike those that are taken.

    Args:
        name: as the visitor's system has it; folders are left out.
        taken: names that are in use. Two names differ by more than case, suffix or Unicode form, because their crops
            may get the same suffix.
    """
    name = PureWindowsPath(unicodedata.normalize("NFC", name)).name
    name = "".join(char if char.isprintable() else "_" for char in _NOT_IN_NAMES.sub("_", name))
    path = PurePath(name.strip(" .") or "photo")
    suffix = path.suffix[:10]
    stem = (path.stem or "photo")[: _LONGEST_NAME - len(suffix)]
    stems = {PurePath(other).stem.casefold() for other in taken}
    numbered, number = stem, 1
    while numbered.casefold() in stems:
        number += 1
        numbered = f"{stem} ({number})"
    return numbered + suffix
