"""What every crop head can do."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    feature_map: Tensor
    memory: TokenSet


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
        takes_soft_targets (bool): Whether :meth:`loss` takes ``soft_targets`` (:class:`SoftTargets`).
    """

    takes_soft_targets = False

    @abstractmethod
    def loss(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> dict[str, Tensor]:
        """Training losses by name; scalars."""

    @abstractmethod
    def predict(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> list[InstanceData]:
        """All crops of each photo: ``bboxes`` (N, 4) xyxy in pixels of the upright original, ``scores`` (N,)."""

    @abstractmethod
    def score_boxes(self, features: CropFeatures, boxes: Tensor) -> Tensor:
        """Aesthetic scores (B, M) of given boxes (B, M, 4), normalised cxcywh."""
