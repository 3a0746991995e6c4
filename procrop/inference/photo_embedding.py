"""A photo as a cropper has seen it: ready for any number of questions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import torch

from procrop.inference.live_text import NotFiniteError, PhotoText
from procrop.inference.seen_photo import PhotoRejected, SeenPhoto
from procrop.structures import CropDataSample

if TYPE_CHECKING:
    from procrop.inference.live_references import ReferenceQuery
    from procrop.models.croppers import PhotoFeatures


@dataclass(frozen=True, eq=False)
class PhotoEmbedding(SeenPhoto):
    """What one pass of a photo through the image backbone gives.

    It belongs to the inferencer that made it, and lies on its device. Nothing changes it, so any number of requests can
    be answered from it, at once too.

    Attributes:
        features: the cropper's features of the photo alone, a batch of one.
        sample: its metainfo, among it ``img_shape``, ``ori_shape``, ``batch_input_shape``; no references, no text.
        text: its text; None without.
        query: what the gallery is searched with; None for a model without references.
    """

    features: "PhotoFeatures"
    sample: CropDataSample
    text: PhotoText | None = None
    query: "ReferenceQuery | None" = None


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
