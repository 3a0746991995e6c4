"""Which candidates win."""

import numpy as np

from procrop.structures.boxes import box_iou

#: boxes with a larger IoU are taken together only where there are no others
NEARLY_SAME = 0.9
_SAME = 1 - 1e-12  # equal boxes have a larger IoU, whatever its last bit


def relative_scores(scores: np.ndarray, best: float) -> np.ndarray:
    """Scores (n,) of a head relative to the best one: score / best, clipped to [0, 1].

    Where the best is not above 0 a quotient means nothing: then it is 1 - (best - score) / abs(best), which is the same
    formula. NaN stays NaN.
    """
    return np.clip(1 - (best - scores) / max(abs(best), np.finfo(np.float64).tiny), 0.0, 1.0)


def pick_diverse(
    order: np.ndarray, boxes: np.ndarray, owners: np.ndarray, top_k: int, max_overlap: float | None
) -> np.ndarray:
    """Take boxes greedily, best first, in rounds until there are enough.

    A box is passed over if it equals one that is taken or overlaps it by more than ``max_overlap``; without that limit,
    if it overlaps it by more than ``NEARLY_SAME``. In the first round each owner gives one box, in the second as many
    as there are. Without a limit a third round takes nearly equal boxes too.

    Args:
        order: (n,) int, the boxes from best to worst.
        boxes: (n, 4) xyxy.
        owners: (n,) int, what each box is made from.
        top_k: Boxes to take at most.
        max_overlap: Largest IoU of two boxes that are taken, or None.

    Returns:
        (m,) int, m at most ``top_k``, from best to worst.
    """
    limit = _SAME if max_overlap is None else min(max_overlap, _SAME)
    overlap = np.zeros(len(boxes))  # largest IoU with a box that is taken
    used = np.zeros(len(boxes), bool)  # whether one of the same owner is taken
    chosen: list[int] = []
    wished = NEARLY_SAME if max_overlap is None else limit
    for most, once in ((wished, True), (wished, False), (limit, False)):
        while len(chosen) < top_k:
            open_ = (overlap <= most) & ~(used & once)
            if not open_.any():
                break
            new = int(order[open_[order]][0])
            chosen.append(new)
            overlap = np.maximum(overlap, box_iou(boxes, boxes[new][None])[:, 0])
            used |= owners == owners[new]
    rank = np.argsort(order)
    return np.array(sorted(chosen, key=lambda index: rank[index]), int)
