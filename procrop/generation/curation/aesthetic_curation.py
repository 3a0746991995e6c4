"""From what a teacher predicts for a photo to the few crops that become its labels."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from procrop.registry import CURATION

from .aspect_ratios import RATIOS, snap_to_ratios
from .photo_facts import PhotoFacts

_LOWEST = 1.0  # of the scale of scores
_LEAST_MARGIN = 0.001  # a smaller one is lost when the store rounds scores to four decimals
_PRINCIPLES = tuple(
    dict(type=name)
    for name in ("KnownAreaKept", "SubjectWhole", "RuleOfThirds", "VisualBalance", "HorizonOnThird")
)


@dataclass(frozen=True, eq=False)
class CuratedCrops:
    """Crops that may be labels, best first.

    Attributes:
        boxes: (n, 4) float64 ``xyxy``, n at most k.
        scores: (n,) float64 label scores, all below the known area's.
        predicted: (n,) float64 scores that the teacher gave.
        rejected: Reason -> number of candidates left out for it; with the n these are all.
    """

    boxes: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray
    rejected: dict[str, int] = field(default_factory=dict)


@CURATION.register_module()
class AestheticCuration:
    """Keeps predicted crops that follow stated principles and differ from each other, and ranks them.

    In this order: crops that the teacher scores below ``min_score`` go; then those whose shape is near none of
    ``ratios`` (the others are brought exactly to it); then those below a principle's minimum. What is left is ranked by

        merit = w · predicted + (1 - w) · weighted mean of the principles' scores,

    w = ``predicted_weight``; a principle that lacks what it depends on takes no part. Down the ranking, a crop is taken
    if it differs from the known area and from every crop taken before, until there are k. Its label score is

        1 + (known area's score - ``margin`` - 1) · merit,

    so that no label ever outranks, nor equals, the known area.

    Args:
        top_k: k.
        min_score: Least score of the teacher.
        ratios: Long side / short side; None lets every shape pass as it is.
        ratio_tolerance: Largest difference from one of them.
        principles: Configs of the principles; a list without one switches it off.
        diversity: Config of the rule by which crops differ; None lets all but exact repetitions pass.
        predicted_weight: w, in [0, 1].
        margin: At least 0.001, on the scale of the known area's score.
        carry_over: The labels of the version before are candidates again, with this share of their predicted score, so
            that a label is replaced only by a better one; 0 starts afresh at each refresh.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        top_k: int = 8,
        min_score: float = 0.2,
        ratios: Sequence[float] | None = RATIOS,
        ratio_tolerance: float = 0.03,
        principles: Sequence[dict] = _PRINCIPLES,
        diversity: dict | None = dict(type="IoUDiversity"),  # noqa: B006 (only read)
        predicted_weight: float = 0.5,
        margin: float = 0.5,
        carry_over: float = 0.0,
    ) -> None:
        shares = dict(min_score=min_score, predicted_weight=predicted_weight, carry_over=carry_over)
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"AestheticCuration: {name} must lie in [0, 1], got {value}")
        if top_k < 1 or not margin >= _LEAST_MARGIN or ratio_tolerance < 0:
            raise ValueError(
                f"AestheticCuration needs top_k >= 1, margin >= {_LEAST_MARGIN} and ratio_tolerance >= 0, got {top_k}, "
                f"{margin}, {ratio_tolerance}"
            )
        if ratios is not None and (not len(ratios) or min(ratios) < 1):
            raise ValueError(
                f"AestheticCuration: ratios are long side / short side, at least 1, got {ratios}"
            )
        self.top_k, self.min_score = top_k, min_score
        self.ratios, self.ratio_tolerance = ratios, ratio_tolerance
        self.predicted_weight, self.margin, self.carry_over = predicted_weight, margin, carry_over
        self.principles = [CURATION.build(dict(cfg)) for cfg in principles]
        self.diversity = CURATION.build(dict(diversity)) if diversity else None

    def __call__(
        self,
        boxes: np.ndarray,
        predicted: np.ndarray,
        facts: PhotoFacts,
        previous: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> CuratedCrops:
        """Curate one photo; a function of its arguments alone.

        Args:
            boxes: (N, 4) ``xyxy`` predicted crops within the whole photo.
            predicted: (N,) their scores in [0, 1].
            facts: What is known of the photo.
            previous: Boxes (m, 4) and predicted scores (m,) of the photo's labels so far.

        Raises:
            ValueError: The known area's score leaves no room between the lowest score and ``margin`` below it.
        """
        top = facts.known_score - self.margin
        if not top > _LOWEST:
            raise ValueError(
                f"AestheticCuration: the known area scores {facts.known_score}, which less margin={self.margin} is not "
                f"above the lowest score, {_LOWEST}; lower the margin"
            )
        boxes, predicted = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(predicted, np.float64)
        if previous is not None and self.carry_over > 0:
            boxes = np.concatenate([boxes, previous[0]])
            predicted = np.concatenate([predicted, self.carry_over * previous[1]])
        rejected: dict[str, int] = {}

        def keep(chosen: np.ndarray, reason: str, *columns: np.ndarray) -> list[np.ndarray]:
            if not chosen.all():
                rejected[reason] = int((~chosen).sum())
            return [column[chosen] for column in columns]

        boxes, predicted = keep(predicted >= self.min_score, "score", boxes, predicted)
        boxes, predicted = keep(_has_area(boxes), "no area", boxes, predicted)
        if self.ratios is not None:
            boxes, near = snap_to_ratios(boxes, self.ratios, self.ratio_tolerance)
            boxes, predicted = keep(near, "ratio", boxes, predicted)
        merits, total = np.zeros(len(boxes)), 0.0
        for principle in self.principles:
            scores = principle.scores(boxes, facts)
            if scores is None:
                continue
            # a crop exactly at the minimum passes, whatever the rounding
            passed = scores >= principle.minimum - 1e-9
            boxes, predicted, merits, scores = keep(passed, principle.name, boxes, predicted, merits, scores)
            merits, total = merits + principle.weight * scores, total + principle.weight
        share = self.predicted_weight if total > 0 else 1.0
        merits = share * predicted + (1 - share) * merits / (total or 1.0)
        taken, counts = self._choose(boxes, merits, facts)
        rejected |= counts
        scores = _LOWEST + (top - _LOWEST) * np.clip(merits[taken], 0.0, 1.0)
        return CuratedCrops(boxes[taken], scores, predicted[taken], rejected)

    def _choose(
        self, boxes: np.ndarray, merits: np.ndarray, facts: PhotoFacts
    ) -> tuple[list[int], dict[str, int]]:
        """Rows of at most k diverse crops by falling merit, ties by row; and why others were not taken."""
        taken: list[int] = []
        alike = surplus = 0
        for row in np.argsort(-merits, kind="stable").tolist():
            others = np.concatenate([np.asarray(facts.known, np.float64)[None], boxes[taken]])
            if not self._differs(boxes[row], others, facts.size):
                alike += 1
            elif len(taken) == self.top_k:
                surplus += 1
            else:
                taken.append(row)
        counts = {"diversity": alike, "surplus": surplus}
        return taken, {reason: count for reason, count in counts.items() if count}

    def _differs(self, box: np.ndarray, others: np.ndarray, size: tuple[float, float]) -> bool:
        if self.diversity is None:
            return bool((box != others).any(axis=1).all())
        return bool(self.diversity.differs(box, others, size).all())


def _has_area(boxes: np.ndarray) -> np.ndarray:
    """(n,) bool: finite and of positive area."""
    return np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
