"""From what a model predicts to the crops that were asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from procrop.inference.crop_request import CropRequest
from procrop.structures.boxes import box_area, clip_boxes, kept_share

from .candidates import free_candidates, ratio_candidates
from .evidence import evidence_centres, kept_evidence
from .exact_sizes import ExactSizes, ImpossibleCropError
from .ranking import pick_diverse, relative_scores
from .request_check import check_request, check_subject, wanted_ratio

#: what a crop without any of the subject loses of its score: a subject that the request names, and one that was found.
#: Saliency is a weak guide: on 49 FLMS photos people's crops keep 85 % of what it finds, and 79 % if they lay anywhere.
NAMED_WEIGHT, FOUND_WEIGHT = 1.0, 0.5
#: to which power the share of the evidence counts that a crop keeps: the one that a vote takes an IoU to
EVIDENCE_POWER = 4

ScoreBoxes = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class SelectedCrops:
    """The crops of a photo, best first.

    Attributes:
        boxes: (n, 4) float64 xyxy in pixels of the upright photo, inside it; with a ratio or a size whole numbers. n is
            ``top_k``, or less where the photo has no more that differ enough.
        scores: (n,) float64 in [0, 1], falling. The head's scores where the predictions are left as they are, else the
            final scores of :func:`select_crops`.
        focal_points: (n, 2) float64 (x, y) in pixels of the upright photo, inside the crop: the centre of the part of
            the subject that the crop keeps; the centre of the crop where there is no subject in it.
        subject: (4,) float64 xyxy, clipped to the photo, or None, also where it is known cell by cell.
    """

    boxes: np.ndarray
    scores: np.ndarray
    focal_points: np.ndarray
    subject: np.ndarray | None


def select_crops(
    boxes: np.ndarray,
    scores: np.ndarray,
    size: tuple[int, int],
    request: CropRequest,
    score_boxes: ScoreBoxes,
    subject: np.ndarray | None = None,
) -> SelectedCrops:
    """Choose crops of the shape, area and content that were asked for.

    1. **Candidates.** With a ratio (or a size, of which only the ratio counts): crops of exactly that ratio around
       every prediction, see :func:`~.candidates.ratio_candidates`. Without one, but with a subject or a least area: the
       predictions, widened as little as it takes, see :func:`~.candidates.free_candidates`. With neither: the
       predictions, and their scores stay as they are.
    2. **Score.** ``score_boxes`` scores candidates and predictions alike; a candidate's score is its part of the best
       among all of them, clipped to [0, 1]. It is multiplied by 1 - w * (1 - share), to the first power, where share is
       that of the subject's box in the crop, and w = 1 for a subject that the request names, 0.5 for one that was
       found; or by share to the fourth, where it is known cell by cell and share is that of its mass, as
       part of the largest share of any candidate. Nothing else
       counts.
    3. **Subject.** It is ``request.subject``, else, with a ratio, ``subject``. A subject that the request names is
       kept whole wherever the ratio allows: candidates that keep less of it than others drop out. So where none can
       hold it, the largest share wins. One that was found may be cut, at the price of the factor.
    4. **Order.** Best score first; equal scores go by kind of candidate, then by prediction.
    5. **Choice.** Greedily, never two equal boxes, nor two whose IoU is above ``max_overlap``. As long as there are
       others, each prediction gives one crop, and no two crops have an IoU above 0.9; see
       :func:`~.ranking.pick_diverse`.

    Args:
        boxes: (N, 4) predicted boxes, xyxy in pixels of the upright photo.
        scores: (N,) their scores.
        size: (width, height) of the upright photo.
        request: What is asked; ``references`` and ``caption`` are not looked at.
        score_boxes: Scores (M,) of boxes (M, 4) xyxy pixels, any scale, larger is better. Called at most once.
        subject: what stands out in the photo: (4,) xyxy pixels, or (h, w) how much each cell of the photo belongs to
            it, at least 0; None where nothing is known.

    Returns:
        The crops. They are a function of the arguments alone.

    Raises:
        ImpossibleCropError: This photo cannot give it: the ratio with that least area, or a subject outside it.
        ValueError: The request is wrong for any photo.
    """
    check_request(request)
    ratio = wanted_ratio(request, size)
    named = request.subject is not None
    evidence = subject if not named and np.ndim(subject) == 2 else None
    subject = _inside(request.subject if named else None if evidence is not None else subject, size)
    boxes, scores = _best_first(boxes, scores, size)
    final, owners = scores, np.arange(len(boxes))
    if ratio is not None:
        sizes = ExactSizes(ratio, size, request.min_area)
        hull = None if subject is None else np.concatenate([np.floor(subject[:2]), np.ceil(subject[2:])])
        made, owners = ratio_candidates(boxes, size, sizes, hull)
        boxes, final, owners = _score(boxes, made, owners, score_boxes, hull, named)
        if evidence is not None:
            kept = kept_evidence(boxes, evidence, size)
            final = final * (kept / max(kept.max(initial=0.0), np.finfo(float).tiny)) ** EVIDENCE_POWER
    elif named or request.min_area > 0:
        made = free_candidates(boxes, size, request.min_area, subject if named else None)
        boxes, final, owners = _score(boxes, made, owners, score_boxes, None, False)
    elif request.max_overlap is None:
        return _selected(boxes[: request.top_k], scores[: request.top_k], size, subject, evidence)
    order = np.argsort(-final, kind="stable")
    chosen = pick_diverse(order, boxes, owners, request.top_k, request.max_overlap)
    return _selected(boxes[chosen], final[chosen], size, subject, evidence)


def _best_first(
    boxes: np.ndarray, scores: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions by (-score, number), clipped to the photo, without those that are not finite or have no area."""
    boxes, scores = clip_boxes(boxes, size), np.asarray(scores, np.float64)
    good = np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & (box_area(boxes) > 0)
    order = np.argsort(-scores[good], kind="stable")
    return boxes[good][order], scores[good][order]


def _inside(subject: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | None:
    """The part (4,) of a subject that lies in the photo."""
    if subject is None:
        return None
    check_subject(subject)
    inside = clip_boxes(subject, size)
    if not box_area(inside) > 0:
        raise ImpossibleCropError(
            f"the subject {tuple(float(edge) for edge in subject)} lies outside the photo of {size[0]} x {size[1]} "
            "pixels; give its box in pixels of the upright photo"
        )
    return inside


def _score(
    predictions: np.ndarray,
    made: np.ndarray,
    owners: np.ndarray,
    score_boxes: ScoreBoxes,
    subject: np.ndarray | None,
    named: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates that stay, their final scores and the predictions that they are made from."""
    if not len(made):
        return made, np.zeros(0), owners
    every, places = np.unique(np.concatenate([predictions, made]), axis=0, return_inverse=True)
    raw = np.asarray(score_boxes(every), np.float64)[places.reshape(-1)]
    final = relative_scores(raw[len(predictions) :], np.max(raw, initial=-np.inf, where=np.isfinite(raw)))
    stays = np.isfinite(final)
    if subject is not None:
        kept = kept_share(made, subject)
        final = final * (1 - (NAMED_WEIGHT if named else FOUND_WEIGHT) * (1 - kept))
        if named:
            stays &= kept >= np.max(kept, initial=0.0, where=stays)
    return made[stays], final[stays], owners[stays]


def _selected(
    boxes: np.ndarray,
    scores: np.ndarray,
    size: tuple[int, int],
    subject: np.ndarray | None,
    evidence: np.ndarray | None,
) -> SelectedCrops:
    if evidence is not None:
        return SelectedCrops(boxes, scores, evidence_centres(boxes, evidence, size), None)
    low, high = boxes[:, :2], boxes[:, 2:]
    if subject is not None:
        part = np.maximum(low, subject[:2]), np.minimum(high, subject[2:])
        seen = (part[0] < part[1]).all(axis=1, keepdims=True)
        low, high = np.where(seen, part[0], low), np.where(seen, part[1], high)
    return SelectedCrops(boxes, scores, (low + high) / 2, subject)
