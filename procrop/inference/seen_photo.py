"""A photo that a cropper has looked at, or will not look at."""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from procrop.inference.crop_result import CropResult


class PhotoRejected(ValueError):
    """A photo that gives no crops; others may.

    Attributes:
        path: the photo's file or name.
        reason: why.
        size: (width, height) of the upright photo, where it is known.
    """

    def __init__(self, path: str | os.PathLike, reason: str, size: tuple[int, int] | None = None) -> None:
        self.path, self.reason, self.size = os.fspath(path), reason, size
        super().__init__(f"{self.path}: {reason}")

    def result(self) -> CropResult:
        """The same as a result."""
        return CropResult(self.path, self.size, rejected=self.reason)


@dataclass(frozen=True, eq=False)
class SeenPhoto:
    """What all croppers keep of a photo.

    Attributes:
        path: the photo's file, or its name where there is none.
        size: (width, height) of the upright photo in pixels.
        photo: (H, W, 3) uint8 RGB, upright.
    """

    path: str
    size: tuple[int, int]
    photo: np.ndarray

    @cached_property
    def subject(self) -> np.ndarray | None:
        """(4,) float64 xyxy in pixels of the photo: the box of what stands out, looked for when it is first asked for;
        None where nothing does."""
        from procrop.inference.selection import find_subject

        return find_subject(self.photo)
