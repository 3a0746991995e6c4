"""One photo to be scored, as plain numpy arrays: what every protocol reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from procrop.evaluation.functional.ranking import rank_order, valid_crops


@dataclass
class PhotoRecord:
    """What the protocols need of one photo; all boxes ``xyxy`` in pixels of the original upright photo.

    Attributes:
        img_id: Name of the photo.
        size: (width, height) in pixels.
        gt: (M, 4) float64 valid annotated crops in file order.
        mos: (M,) float64 their scores; zeros when the annotation has none.
        positives: (M,) bool, or None when the annotation does not say.
        valid: (n,) bool, which rows of the annotation these M are.
        pred: (P, 4) float64 predicted crops, best score first; boxes that are not finite are left out.
        pred_scores: (P,) float64 the scores of the same; -inf where a score is not finite.
        candidate_scores: (M,) float64 a ranker's scores of the annotated crops, or None for a model that only proposes.
        source_id: Equal for records made from one original photo; by default ``img_id``.
    """

    img_id: str
    size: tuple[float, float]
    gt: np.ndarray
    mos: np.ndarray
    positives: np.ndarray | None
    valid: np.ndarray
    pred: np.ndarray
    pred_scores: np.ndarray
    candidate_scores: np.ndarray | None = None
    source_id: str = ""

    def __post_init__(self) -> None:
        self.source_id = self.source_id or self.img_id


def make_photo_record(
    img_id: str,
    size: tuple[float, float],
    bboxes: ArrayLike,
    scores: ArrayLike | None = None,
    positives: ArrayLike | None = None,
    pred: ArrayLike = (),
    pred_scores: ArrayLike = (),
    candidate_scores: ArrayLike | None = None,
    source_id: str = "",
) -> PhotoRecord:
    """Check and sort what is known of one photo.

    Args:
        img_id: Name of the photo.
        size: (width, height) in pixels.
        bboxes: (n, 4) annotated crops, ``xyxy`` pixels, in file order; invalid ones (:func:`valid_crops`) are dropped.
        scores: (n,) mean opinion scores, or None.
        positives: (n,) bool, or None.
        pred: (P, 4) predicted crops, ``xyxy`` pixels, in any order.
        pred_scores: (P,) their scores.
        candidate_scores: (n,) a ranker's score of every annotated crop, the invalid ones too, or None.
        source_id: Equal for records made from one original photo.

    Returns:
        The record.

    Raises:
        ValueError: If lengths differ; the message names the photo.
    """
    bboxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
    mos = np.zeros(len(bboxes)) if scores is None else _column(scores, len(bboxes), img_id, "gt_crops")
    valid = valid_crops(bboxes, mos)
    if positives is not None:
        positives = np.asarray(positives).astype(bool)[valid]
    if not len(valid):
        candidate_scores = None  # of no crop there is nothing to rank
    if candidate_scores is not None:
        candidate_scores = np.asarray(candidate_scores, dtype=np.float64)
        if candidate_scores.shape != valid.shape:
            raise ValueError(
                f"photo {img_id!r}: candidate_scores of shape {candidate_scores.shape} for {len(valid)} annotated crops"
            )
        candidate_scores = candidate_scores[valid]
    pred = np.asarray(pred, dtype=np.float64).reshape(-1, 4)
    pred_scores = _column(pred_scores, len(pred), img_id, "pred_instances")
    order = rank_order(pred_scores)
    pred, pred_scores = pred[order], pred_scores[order]
    if not np.isfinite(pred).all():
        finite = np.isfinite(pred).all(axis=1)
        pred, pred_scores = pred[finite], pred_scores[finite]
    if not np.isfinite(pred_scores).all():
        pred_scores = np.where(np.isfinite(pred_scores), pred_scores, -np.inf)
    size = (float(size[0]), float(size[1]))
    return PhotoRecord(
        img_id,
        size,
        bboxes[valid],
        mos[valid],
        positives,
        valid,
        pred,
        pred_scores,
        candidate_scores,
        source_id,
    )


def _column(scores: ArrayLike, count: int, img_id: str, name: str) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (count,):
        raise ValueError(f"photo {img_id!r}: {name} holds {count} boxes and scores of shape {scores.shape}")
    return scores
