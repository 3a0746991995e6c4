"""What every crop head can do."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor

from procrop.structures import CropDataSample, TokenSet


@dataclass
class CropFeatures:
    """What a cropper hands to its head.

    Attributes:
        feature_map (Tensor): The image backbone's projected map, (B, d, h, w), padded as the batch is.
        memory (TokenSet): Encoder tokens fused with every context, (B, n, d).
        extent (Tensor, optional): Width and height of each unpadded photo in cells of the feature map, (B, 2); None =
            the photos fill the map.
    """

    feature_map: Tensor
    memory: TokenSet
    extent: Tensor | None = None


@dataclass
class SoftTargets:
    """What a teacher says of a batch.

    Attributes:
        scores (Tensor): Scores in [0, 1] of its N crops, (B, N); crop n belongs to crop n of the student.
        weight (float): Share of the classification loss that follows them.
    """

    scores: Tensor
    weight: float


class BaseCropHead(BaseModule, metaclass=ABCMeta):
    """A head owns its decoder: from features to losses, to crops, or to scores of given boxes.

    Attributes:
        reads_memory (bool): Whether the head looks at the memory; if not, references cannot reach it.
        takes_soft_targets (bool): Whether :meth:`loss` takes ``soft_targets`` (:class:`SoftTargets`).
    """

    reads_memory = True
    takes_soft_targets = False

    @abstractmethod
    def loss(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> dict[str, Tensor]:
        """Training losses by name; scalars."""

    @abstractmethod
    def predict(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> list[InstanceData]:
        """All crops of each photo: ``bboxes`` (N, 4) xyxy in pixels of the upright original, ``scores`` (N,).

        A head that scores given boxes adds ``mos`` (N,), its unclipped scores, and, where the candidates say which rows
        of the annotation they are, these ``rows`` (N,) int64.
        """

    @abstractmethod
    def score_boxes(self, features: CropFeatures, boxes: Tensor) -> Tensor:
        """Aesthetic scores (B, M) of given boxes (B, M, 4), normalised cxcywh; differentiable in the head's weights."""

    def predict_and_score(
        self, features: CropFeatures, data_samples: Sequence[CropDataSample]
    ) -> tuple[list[InstanceData], Callable[[Tensor], Tensor]]:
        """The crops of :meth:`predict`, and :meth:`score_boxes` of the same features as a function of boxes alone.

        A head that decodes for both does it once here.
        """
        return self.predict(features, data_samples), partial(self.score_boxes, features)


def to_pixels(boxes: Tensor, ori_shape: tuple[int, int]) -> Tensor:
    """Normalised xyxy (N, 4) to pixels of a photo of (height, width), clipped, at least one pixel each way."""
    height, width = ori_shape[:2]
    size = boxes.new_tensor([width, height])
    top_left = torch.minimum((boxes[:, :2] * size).clamp(min=0), size - 1)
    bottom_right = torch.minimum(torch.maximum(boxes[:, 2:] * size, top_left + 1), size)
    return torch.cat([top_left, bottom_right], dim=1)
