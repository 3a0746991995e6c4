"""A photo as a cropper has seen it: ready for any number of questions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from procrop.inference.crop_result import CropResult
from procrop.inference.live_text import NotFiniteError, PhotoText
from procrop.structures import CropDataSample

if TYPE_CHECKING:
    from procrop.inference.live_references import ReferenceQuery
    from procrop.models.croppers import PhotoFeatures


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
class PhotoEmbedding:
    """What one pass of a photo through the image backbone gives.

    It belongs to the inferencer that made it, and lies on its device. Nothing changes it, so any number of requests can
    be answered from it, at once too.

    Attributes:
        path: the photo's file, or its name where there is none.
        size: (width, height) of the upright photo in pixels.
        photo: (H, W, 3) uint8 RGB, upright.
        features: the cropper's features of the photo alone, a batch of one.
        sample: its metainfo, among it ``img_shape``, ``ori_shape``, ``batch_input_shape``; no references, no text.
        text: its text; None without.
        query: what the gallery is searched with; None for a model without references.
    """

    path: str
    size: tuple[int, int]
    photo: np.ndarray
    features: "PhotoFeatures"
    sample: CropDataSample
    text: PhotoText | None = None
    query: "ReferenceQuery | None" = None

    @cached_property
    def subject(self) -> np.ndarray | None:
        """(4,) float64 xyxy in pixels of the photo: the box of what stands out, looked for when it is first asked for;
        None where nothing does."""
        from procrop.inference.selection import find_subject

        return find_subject(self.photo)


@contextmanager
def rejecting(name: str, size: tuple[int, int], device: torch.device) -> Iterator[None]:
    """Turn what a photo's content or size makes go wrong into a :class:`PhotoRejected`; other errors pass."""
    width, height = size
    try:
        yield
    except cv2.error as error:  # a side that rounds to no pixel at the model's input size
        raise PhotoRejected(name, f"{width} x {height} pixels are too narrow a strip", size) from error
    except NotFiniteError as error:
        raise PhotoRejected(name, str(error), size) from error
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = f"{width} x {height} pixels are too many for the memory of {device}"
        raise PhotoRejected(name, reason, size) from error


def _is_out_of_memory(error: Exception) -> bool:
    # torch raises a type of its own on a GPU, and a plain RuntimeError on a CPU
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "allocate memory" in str(error)
