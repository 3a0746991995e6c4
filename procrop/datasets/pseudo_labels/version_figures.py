"""What a version of labels comes to: counts, overlap with the known areas, diversity."""

from collections.abc import Iterable

import numpy as np

from procrop.structures.boxes import box_iou

from .photo_labels import PhotoLabels


def version_figures(photos: Iterable[PhotoLabels]) -> dict[str, float | int | None]:
    """Describe labels.

    Returns:
        ``photos`` looked at, ``labelled`` (those with at least one label), ``labels``; ``iou_known``, mean over labels
        of the IoU with the photo's known area; ``pairwise_iou``, mean over photos with at least two labels of the mean
        IoU of their pairs (the lower, the more diverse); ``score``, mean over labels. None where there is nothing to
        average.
    """
    count = labelled = 0
    overlap, pairwise, scores = [], [], []
    for photo in photos:
        count += 1
        labelled += len(photo.boxes) > 0
        overlap += box_iou(photo.boxes, photo.known[None])[:, 0].tolist()
        scores += photo.scores.tolist()
        if (mean := mean_pairwise_iou(photo.boxes)) is not None:
            pairwise.append(mean)
    return {
        "photos": count,
        "labelled": labelled,
        "labels": len(scores),
        "iou_known": _mean(overlap),
        "pairwise_iou": _mean(pairwise),
        "score": _mean(scores),
    }


def mean_pairwise_iou(boxes: np.ndarray) -> float | None:
    """Mean IoU over the pairs of boxes (n, 4) ``xyxy``; None for fewer than two."""
    if len(boxes) < 2:
        return None
    first, second = np.triu_indices(len(boxes), 1)
    return float(box_iou(boxes, boxes)[first, second].mean())


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 6) if values else None
