"""Which annotated crops a prediction is compared with."""

import numpy as np

from procrop.evaluation.photo_batch import PhotoBatch
from procrop.structures.grid_anchors import gaic_grid_anchors

GROUND_TRUTHS = ("all", "positives", "best")
_BINS = 12


def target_crops(batch: PhotoBatch, ground_truth: str) -> tuple[np.ndarray, np.ndarray]:
    """Ground truth of a batch.

    Args:
        batch: T photos.
        ground_truth: ``"all"`` annotated crops, ``"positives"``, or the single ``"best"`` by mean opinion score, the
            first line among equals.

    Returns:
        Boxes (T, G, 4) in file order, columns beyond a photo's own being copies of its first one, and (T,) bool:
        whether the photo has any.

    Raises:
        ValueError: If a record does not say which crops are positive.
    """
    if ground_truth == "best":
        return batch.top_crops(1, "file_order"), np.ones(len(batch), dtype=bool)
    if ground_truth == "all":
        return batch.gt, np.ones(len(batch), dtype=bool)
    counts = batch.positives.sum(axis=1)
    columns = np.argsort(~batch.positives, axis=1, kind="stable")[:, : max(1, counts.max())]
    columns = np.where(np.arange(columns.shape[1]) < counts[:, None], columns, columns[:, :1])
    return np.take_along_axis(batch.gt, columns[..., None], axis=1), counts > 0


def prefix_of(name: str, ground_truth: str, usual: str) -> str:
    """Name of a protocol whose ground truth may be another than the usual one: "crop", "crop_best"."""
    return name if ground_truth == usual else f"{name}_{ground_truth}"


def grid_boxes(batch: PhotoBatch) -> np.ndarray:
    """The 90 boxes of the GAIC grid in every photo: (T, 90, 4) pixels."""
    bins = gaic_grid_anchors(_BINS, _BINS, rule="all")
    return bins * np.tile(batch.size, 2)[:, None, :] / _BINS
