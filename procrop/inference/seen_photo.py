"""A photo that a cropper has looked at, or will not look at."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from procrop.inference.crop_result import CropResult


class NotFiniteError(ValueError):
    """A photo whose tokens cannot be used; others may be."""


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


def without_padding(evidence: np.ndarray, shape: tuple[int, int], padded: tuple[int, int]) -> np.ndarray:
    """The cells of a map (h, w) that a photo of ``shape`` reaches into, which is padded right and below to ``padded``,
    both (height, width) in pixels."""
    rows, columns = (
        -(-cells * side // whole) for cells, side, whole in zip(evidence.shape, shape, padded, strict=True)
    )
    return evidence[:rows, :columns]


@contextmanager
def rejecting(name: str, size: tuple[int, int], device: object) -> Iterator[None]:
    """Turn what a photo's content or size makes go wrong into a :class:`PhotoRejected`; other errors pass.

    Args:
        name: of the photo.
        size: (width, height) of it.
        device: where the model runs, for messages.
    """
    width, height = size
    try:
        yield
    except PhotoRejected:
        raise
    except cv2.error as error:  # a side that rounds to no pixel at the model's input size
        raise PhotoRejected(name, f"{width} x {height} pixels are too narrow a strip", size) from error
    except NotFiniteError as error:
        raise PhotoRejected(name, str(error), size) from error
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        reason = f"{width} x {height} pixels are too many for the memory of {device}"
        raise PhotoRejected(name, reason, size) from error


def _is_out_of_memory(error: Exception) -> bool:
    # torch raises a plain RuntimeError on a CPU, onnxruntime types of its own
    said = str(error)
    return isinstance(error, MemoryError) or any(
        words in said for words in ("allocate memory", "out of memory", "bad allocation", "bad_alloc")
    )
