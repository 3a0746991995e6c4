"""Protocols by the names they have on the command line, and which a dataset is measured with by default."""

from collections.abc import Callable, Sequence

from procrop.evaluation.protocols.average_precision import AveragePrecision
from procrop.evaluation.protocols.base import Protocol
from procrop.evaluation.protocols.best_crop_recall import JIA_EPS, BestCropRecall
from procrop.evaluation.protocols.grid_accuracy import GridRanking
from procrop.evaluation.protocols.iou_disp import IoUDisp
from procrop.evaluation.protocols.iou_max_mean import IoUMaxMean
from procrop.evaluation.protocols.topn_accuracy import TopNAccuracy

#: name -> protocols, for an eps (which those without one pass over)
NAMED: dict[str, Callable[[float], list[Protocol]]] = {
    "acc": lambda eps: [TopNAccuracy(eps), BestCropRecall(eps)],
    "acc_ties": lambda eps: [TopNAccuracy(eps, ties="include"), BestCropRecall(eps, ties="include")],
    "acc_1to1": lambda eps: [TopNAccuracy(eps, one_to_one=True)],
    "acc_strict": lambda eps: [TopNAccuracy(eps, strict=True), BestCropRecall(eps, strict=True)],
    "jia_recall": lambda eps: [BestCropRecall(JIA_EPS)],
    "ap": lambda eps: [AveragePrecision()],
    "crop": lambda eps: [IoUDisp()],
    "crop_best": lambda eps: [IoUDisp(ground_truth="best")],
    "crop_independent": lambda eps: [IoUDisp(mode="independent")],
    "crop_swapped": lambda eps: [IoUDisp(mode="independent", swapped=True)],
    "crop_clipped": lambda eps: [IoUDisp(predictions="clipped")],
    "crop_int": lambda eps: [IoUDisp(predictions="truncated")],
    "iou_max_mean": lambda eps: [IoUMaxMean()],
    "grid": lambda eps: [GridRanking()],
    "grid_file_order": lambda eps: [GridRanking(ties="file_order")],
}

#: those that say nothing where no crop is better than another
NEED_SCORES = frozenset(
    ("acc", "acc_ties", "acc_1to1", "acc_strict", "jia_recall", "ap", "crop_best", "grid", "grid_file_order")
)

_OF_SCORED = ("acc", "crop_best")
_OF_UNSCORED = ("crop",)


def make_protocols(names: Sequence[str], eps: float = 0.85) -> list[Protocol]:
    """The protocols of these names.

    Args:
        names: Keys of NAMED.
        eps: Smallest IoU of a hit, for those that have one.

    Raises:
        ValueError: A name is unknown, or eps no IoU.
    """
    unknown = [name for name in names if name not in NAMED]
    if unknown:
        raise ValueError(f"unknown protocol {unknown[0]!r}; known: {', '.join(NAMED)}")
    return [protocol for name in dict.fromkeys(names) for protocol in NAMED[name](eps)]


def default_protocols(scored: bool, ranked: bool) -> tuple[str, ...]:
    """Names of what a dataset is measured with unless told otherwise.

    Args:
        scored: Whether its annotated crops have scores (GAICD, CPC), or are equally good (FLMS, FCDB, SACD).
        ranked: Whether every model scored the annotated crops themselves.
    """
    return (_OF_SCORED if scored else _OF_UNSCORED) + (("grid",) if ranked and scored else ())
