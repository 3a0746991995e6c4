"""Which annotated crops a model is to reproduce."""

import numpy as np

from procrop.structures.boxes import box_iou


def select_positives(
    scores: np.ndarray,
    threshold: float,
    fallback: bool = True,
    boxes: np.ndarray | None = None,
    nms_iou: float | None = None,
) -> np.ndarray:
    """Mark the crops that a model is to reproduce (Jia et al. 2022).

    Args:
        scores: (n,) MOS.
        threshold: crops of at least this MOS are positive.
        fallback: when there is none, take all crops that share the highest score.
        boxes: (n, 4) ``xyxy``, needed for ``nms_iou``.
        nms_iou: leave out a positive that overlaps a better one by more than this IoU (of equals, the earlier stays);
            None keeps all.

    Returns:
        (n,) bool.
    """
    positives = scores >= threshold
    if fallback and len(scores) and not positives.any():
        positives = scores == scores.max()
    return positives if nms_iou is None else _suppressed(positives, scores, boxes, nms_iou)


def _suppressed(positives: np.ndarray, scores: np.ndarray, boxes: np.ndarray, nms_iou: float) -> np.ndarray:
    rows = np.flatnonzero(positives)
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    overlap = box_iou(boxes[rows], boxes[rows]) > nms_iou
    kept: list[int] = []
    for i in range(len(rows)):
        if not overlap[i, kept].any():
            kept.append(i)
    result = np.zeros_like(positives)
    result[rows[kept]] = True
    return result
