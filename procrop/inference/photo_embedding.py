"""A photo as a cropper has seen it: ready for any number of questions."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.inference.live_text import PhotoText
from procrop.inference.seen_photo import SeenPhoto, without_padding
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

    @cached_property
    def evidence(self) -> np.ndarray | None:
        """(h, w) float32: how much each cell of the photo belongs to its subject; None where the image backbone does
        not tell."""
        known = getattr(self.features, "evidence", None)  # croppers of other kinds have features of their own
        if known is None:
            return None
        (padded,) = known.cpu().numpy()
        return without_padding(padded, self.sample.img_shape[:2], self.sample.batch_input_shape)
