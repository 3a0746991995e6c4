"""Few crops that agree best with all that are good: what to answer when a merit is unsure."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from procrop.structures.boxes import box_iou

_STEPS = 16  # the lattice's, a side
_NARROWEST = 0.4
_SMALLEST = 0.25
_CLOSE_SHAPES = (0.5, 2.1)  # width / height


@dataclass(frozen=True, eq=False)
class ConsensusCrops:
    """Crops, first to last as they were chosen.

    Attributes:
        boxes: (n, 4) float64 ``xyxy``, shares of the photo's sides.
        agreement: (n,) IoU of each that is to be expected with the right crop.
    """

    boxes: np.ndarray
    agreement: np.ndarray


@lru_cache(maxsize=1)
def window_lattice() -> tuple[np.ndarray, np.ndarray]:
    """All windows (n, 4) whose edges lie on sixteenths of the sides and that hold the photo's middle, at least 0.4 of a
    side and 0.25 of the area; and the IoU (n, n) float32 of each with each. Read only."""
    ends = np.arange(_STEPS + 1) / _STEPS
    spans = [(a, b) for a in ends for b in ends if b - a >= _NARROWEST and a <= 0.5 and b >= 0.5]
    boxes = np.array([(x1, y1, x2, y2) for x1, x2 in spans for y1, y2 in spans])
    boxes = boxes[(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) >= _SMALLEST]
    overlap = box_iou(boxes, boxes).astype(np.float32)
    for array in (boxes, overlap):
        array.setflags(write=False)
    return boxes, overlap


def usable_windows(size: tuple[float, float]) -> np.ndarray:
    """Which windows of the lattice have a usual shape in a photo of (width, height), (n,) bool; all, if none has."""
    boxes, _ = window_lattice()
    shape = (boxes[:, 2] - boxes[:, 0]) * size[0] / ((boxes[:, 3] - boxes[:, 1]) * size[1])
    usable = (shape >= _CLOSE_SHAPES[0]) & (shape <= _CLOSE_SHAPES[1])
    return usable if usable.any() else np.ones(len(boxes), bool)


def consensus_crops(
    merits: np.ndarray, usable: np.ndarray, count: int = 4, temperature: float = 0.05
) -> ConsensusCrops:
    r"""The crops with the largest expected IoU when window i is the right one with probability p_i ~ exp(m_i / T).

    The first maximises Σ_i p_i · IoU(window i, crop). Each further one is chosen so that Σ_i p_i · (the best IoU of
    window i with a chosen crop) grows most: what is measured as IoU of the best of N crops. A sharp maximum is answered
    by itself, a flat one by its middle, and several maxima by one crop each. The sum over sets is submodular, so greedy
    choice is within 1 - 1/e of the best set (Nemhauser et al. 1978).

    Args:
        merits: (n,) of the windows of :func:`window_lattice`.
        usable: (n,) bool, at least one.
        count: Number of crops.
        temperature: T, above 0, on the scale of the merits.
    """
    boxes, overlap = window_lattice()
    shifted = np.where(usable, merits - merits[usable].max(), -np.inf)
    probable = np.exp(shifted / temperature)
    probable = (probable / probable.sum()).astype(np.float32)
    reached = np.zeros(len(boxes), np.float32)
    chosen: list[int] = []
    for _ in range(count):
        gain = np.maximum(overlap, reached) @ probable
        new = int(np.where(usable, gain, -1).argmax())
        chosen.append(new)
        reached = np.maximum(reached, overlap[new])
    return ConsensusCrops(boxes[chosen], (overlap[chosen] @ probable).astype(np.float64))
