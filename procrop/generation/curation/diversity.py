"""When two crops are different enough to be labels of one photo."""

import numpy as np

from procrop.registry import CURATION
from procrop.structures.boxes import box_iou


@CURATION.register_module()
class IoUDiversity:
    """Two crops differ if their IoU is at most ``max_iou``.

    Args:
        max_iou: In [0, 1].

    Raises:
        ValueError: It is not.
    """

    def __init__(self, max_iou: float = 0.85) -> None:
        if not 0 <= max_iou <= 1:
            raise ValueError(f"IoUDiversity: max_iou must lie in [0, 1], got {max_iou}")
        self.max_iou = max_iou

    def differs(self, box: np.ndarray, others: np.ndarray, size: tuple[float, float]) -> np.ndarray:
        """Whether a box (4,) ``xyxy`` differs from each of others (m, 4), (m,) bool; ``size`` (width, height)."""
        return box_iou(box[None], others)[0] <= self.max_iou


@CURATION.register_module()
class AuthorsDiversity:
    """The expression in the code published with the paper, and what it was probably meant to be.

    With d_w and d_h the differences of width and height as shares of the larger one, and d_1 and d_2 the differences of
    the upper left and lower right corners, |dx| / W + |dy| / H of the photo:

    - ``reading="code"``: each of d_w, d_h, d_1 and d_2 is above ``threshold``. So the code computes: it repeats and
      joins lists of these numbers where it seems to mean to weight and add them.
    - ``reading="intent"``: 2 (d_w + d_h) / 2 + (d_1 + d_2) / 2 is above it: twice the size and once the position.

    What the shares are taken of is our reading in both.

    Args:
        threshold: 0.2 there.
        reading: "code" or "intent".

    Raises:
        ValueError: Unknown reading or negative threshold.
    """

    def __init__(self, threshold: float = 0.2, reading: str = "code") -> None:
        if reading not in ("code", "intent") or threshold < 0:
            raise ValueError(
                f"AuthorsDiversity: reading is 'code' or 'intent', threshold at least 0, got {reading!r}, {threshold}"
            )
        self.threshold, self.reading = threshold, reading

    def differs(self, box: np.ndarray, others: np.ndarray, size: tuple[float, float]) -> np.ndarray:
        """Whether a box (4,) ``xyxy`` differs from each of others (m, 4), (m,) bool; ``size`` (width, height)."""
        own, theirs = box[2:] - box[:2], others[:, 2:] - others[:, :2]
        sizes = np.abs(own - theirs) / np.maximum(np.maximum(own, theirs), 1e-12)
        moves = np.abs(box - others) / np.tile(np.asarray(size, np.float64), 2)
        corners = np.stack([moves[:, :2].sum(axis=1), moves[:, 2:].sum(axis=1)], axis=1)
        if self.reading == "code":
            return (np.concatenate([sizes, corners], axis=1) > self.threshold).all(axis=1)
        return 2 * sizes.mean(axis=1) + corners.mean(axis=1) > self.threshold
