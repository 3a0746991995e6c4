"""IoU_max@N and IoU_mean@N: how Jia et al.'s evaluation reports FLMS."""

from collections.abc import Sequence

import numpy as np

from procrop.evaluation.photo_batch import PhotoBatch
from procrop.evaluation.protocols.base import Figures, Protocol, in_pixels
from procrop.evaluation.protocols.hits import check_counts
from procrop.evaluation.protocols.iou_disp import first_chances
from procrop.evaluation.protocols.targets import GROUND_TRUTHS, grid_boxes, prefix_of, target_crops
from procrop.structures.boxes import box_iou


class IoUMaxMean(Protocol):
    """Of each of the top N predictions the IoU with the nearest annotated crop; the largest, and the mean, of the N.

    Keys: ``iou_max@5`` (a best-of-N oracle; for N = 1 the IoU@1 of :class:`IoUDisp`) and ``iou_mean@5``. Predictions
    that are missing have an IoU of 0. Floors: ``random_grid_`` of a random ranking of the 90 boxes on the GAIC grid,
    and those of a fixed crop, which do not depend on N.

    Args:
        topk: The values of N.
        ground_truth: ``"all"``, ``"positives"`` or ``"best"``, as for :class:`IoUDisp`.
        floors: Whether to compute the floors.

    Raises:
        ValueError: If an option is unknown or an N below 1.
    """

    needs_size = True

    def __init__(
        self, topk: Sequence[int] = (1, 5, 10), ground_truth: str = "all", floors: bool = True
    ) -> None:
        super().__init__(floors)
        check_counts(topk=topk)
        if ground_truth not in GROUND_TRUTHS:
            raise ValueError(f"ground_truth must be one of {GROUND_TRUTHS}, got {ground_truth!r}")
        self.topk, self.ground_truth = tuple(topk), ground_truth
        self.prefix = prefix_of("crop", ground_truth, "all")

    def _rate(self, batch: PhotoBatch, boxes: np.ndarray) -> np.ndarray:
        targets, defined = target_crops(batch, self.ground_truth)
        return np.where(defined[:, None], box_iou(boxes, targets).max(axis=-1), np.nan)

    def score(self, batch: PhotoBatch) -> Figures:
        """Largest and mean IoU of the top N predictions."""
        longest = max(self.topk)
        iou = self._rate(batch, batch.pred[:, :longest])
        # boxes that are padding overlap nothing, and columns up to the longest N make the mean one over N
        undefined = np.isnan(self._rate(batch, batch.gt[:, :1]))
        iou = np.where(undefined, np.nan, np.pad(iou, ((0, 0), (0, longest - iou.shape[1]))))
        return self._named(
            "", [iou[:, :n].max(axis=1) for n in self.topk], [iou[:, :n].mean(axis=1) for n in self.topk]
        )

    def single(self, batch: PhotoBatch, boxes: np.ndarray) -> Figures:
        """IoU of each crop."""
        return {"iou": self._rate(batch, boxes)}

    def single_of(self, key: str) -> str:
        """One crop given N times has one IoU."""
        return "iou"

    def fixed_floors(self, batch: PhotoBatch, crop: np.ndarray) -> Figures:
        """IoU of one crop, which is its maximum and its mean for every N."""
        iou = self._rate(batch, in_pixels(batch, crop))[:, 0]
        return {"iou_max": iou, "iou_mean": iou}

    def random_floors(self, batch: PhotoBatch) -> Figures:
        """Expected figures of a random ranking of the GAIC grid."""
        iou = -np.sort(-self._rate(batch, grid_boxes(batch)), axis=1)
        width = iou.shape[1]
        count = np.full(len(batch), width)
        largest = [(first_chances(count, n, width) * iou).sum(axis=1) for n in self.topk]
        mean = [iou.mean(axis=1) * min(n, width) / n for n in self.topk]
        return self._named("random_grid_", largest, mean)

    def _named(self, prefix: str, largest: Sequence[np.ndarray], mean: Sequence[np.ndarray]) -> Figures:
        figures: Figures = {}
        for name, values in (("iou_max", largest), ("iou_mean", mean)):
            figures |= {f"{prefix}{name}@{n}": value for n, value in zip(self.topk, values, strict=True)}
        return figures
