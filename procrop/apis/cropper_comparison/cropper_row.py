"""One cropper of a comparison."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from procrop.datasets.records import CropRecord
from procrop.io import read_photo

#: crops that every row gives a photo, as far as it has so many
COUNT = 3


@dataclass(frozen=True)
class ComparedPhoto:
    """A photo of the dataset.

    Attributes:
        record: its annotation.
        path: its file.
        size: (width, height) upright.
    """

    record: CropRecord
    path: Path
    size: tuple[int, int]

    @property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright; not to be written to."""
        return _pixels(self.path)


@lru_cache(maxsize=1)  # the rows of one photo come one after the other
def _pixels(path: Path) -> np.ndarray:
    return read_photo(path)


@dataclass(frozen=True, eq=False)
class RowCrops:
    """What a row says of a photo.

    Attributes:
        boxes: (n, 4) ``xyxy`` in pixels of the upright photo, best first.
        scores: (n,) falling; None counts them as sorted.
        references: name and file of the gallery photos they were made after.
    """

    boxes: np.ndarray
    scores: np.ndarray | None = None
    references: tuple[tuple[str, str | None], ...] = ()

    def line(self, photo: ComparedPhoto) -> dict[str, Any]:
        """The photo's line of a file of predictions."""
        values = {
            "img_id": photo.record.img_id,
            "size": list(photo.size),
            "boxes": np.round(np.asarray(self.boxes, np.float64), 3).tolist(),
        }
        if self.scores is not None:
            values["scores"] = np.round(np.asarray(self.scores, np.float64), 6).tolist()
        if self.references:
            values["references"] = [{"name": name, "path": path} for name, path in self.references]
        return values


Predictor = Callable[[ComparedPhoto], RowCrops]


@dataclass(frozen=True, eq=False)
class CropperRow:
    """A cropper in the comparison.

    Attributes:
        name: its name in tables, and of its file.
        recipe: JSON values: all that its crops depend on beside the photo. Where they change it is asked again.
        open: makes the function that crops photos; it is called only where one is to be cropped.
        about: what it is, in words.
    """

    name: str
    recipe: Mapping[str, Any]
    open: Callable[[], Predictor]
    about: str = field(default="")
