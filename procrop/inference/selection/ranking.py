"""Which candidates win."""

import numpy as np

from procrop.structures.boxes import box_iou

_SAME = 1 - 1e-12  # IoU of equal boxes, whatever their last bit


def relative_scores(scores: np.ndarray, best: float) -> np.ndarray:
    """Scores (n,) of a head relative to the best one: score / best, clipped to [0, 1].

    Where the best is not above 0 a quotient means nothing: then it is 1 - (best - score) / abs(best), which is the same
    formula. NaN stays NaN.
    """
    return np.clip(1 - (best - scores) / max(abs(best), np.finfo(np.float64).tiny), 0.0, 1.0)


def pick_diverse(
    order: np.ndarray, boxes: np.ndarray, owners: np.ndarray, top_k: int, max_overlap: float | None
) -> np.ndarray:
    """Take boxes greedily, best first.

    A box is passed over if it equals one that is taken or overlaps it too much. As long as there are others, each
    owner gives one box.

    Args:
        order: (n,) int, the boxes from best to worst.
        boxes: (n, 4) xyxy.
        owners: (n,) int, what each box is made from.
        top_k: Boxes to take at most.
        max_overlap: Largest IoU of two boxes that are taken; None: they only have to differ.

    Returns:
        (m,) int, m at most ``top_k``, from best to worst.
    """
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order))
    chosen: list[int] = []
    apart = np.ones(len(boxes), bool)
    for once in (True, False):
        left = apart & ~np.isin(owners, owners[chosen]) if once else apart
        while len(chosen) < top_k and left.any():
            new = int(order[left[order]][0])
            chosen.append(new)
            overlap = box_iou(boxes, boxes[new][None])[:, 0]
            apart &= overlap < _SAME if max_overlap is None else (overlap < _SAME) & (overlap <= max_overlap)
            left = left & apart & (owners != owners[new]) if once else apart
    return np.array(sorted(chosen, key=lambda index: rank[index]), int)
