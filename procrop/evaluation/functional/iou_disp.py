"""IoU and boundary displacement against one or several annotated crops, and the best of the top N predictions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from procrop.structures.boxes import boundary_displacement, box_iou

MODES = ("same_annotation", "independent")

#: what a photo without any prediction gets: the worst that a crop inside the photo can reach
WORST = (0.0, 1.0)


def iou_disp_per_prediction(
    pred: ArrayLike, gt: ArrayLike, size: tuple[float, float], mode: str = "same_annotation"
) -> tuple[np.ndarray, np.ndarray]:
    """IoU and Disp of every prediction against the annotated crops of its photo.

    ``"same_annotation"`` is the rule of the human-centric cropping, CACNet and GenCrop evaluations: take the
    annotation of the largest IoU and the one of the smallest Disp (the first of equals); if both have the same IoU use
    the latter, else the former; both figures come from that one annotation. ``"independent"`` takes the largest
    IoU and the smallest Disp, whichever annotations they come from, and so is never worse.

    Args:
        pred: (P, 4) ``xyxy`` pixels.
        gt: (M, 4) ``xyxy`` pixels of the valid annotated crops, M of 1 or more.
        size: The photo's (width, height).
        mode: One of the two above.

    Returns:
        IoU (P,) and Disp (P,), float64.

    Raises:
        ValueError: If the mode is unknown or there is no annotated crop.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    iou, disp = box_iou(pred, gt), boundary_displacement(pred, gt, size)
    if iou.shape[1] == 0:
        raise ValueError("IoU and Disp need at least one annotated crop; leave photos without one out")
    if mode == "independent":
        return iou.max(axis=1), disp.min(axis=1)
    rows = np.arange(len(iou))
    by_iou, by_disp = iou.argmax(axis=1), disp.argmin(axis=1)
    chosen = np.where(iou[rows, by_iou] == iou[rows, by_disp], by_disp, by_iou)
    return iou[rows, chosen], disp[rows, chosen]


def best_of_n(
    iou: ArrayLike, disp: ArrayLike, topk: Sequence[int] = (1, 2, 3), mode: str = "same_annotation"
) -> tuple[np.ndarray, np.ndarray]:
    """Best prediction among the first N, for several N: an oracle, which knows the annotation when it chooses.

    In ``"same_annotation"`` mode the prediction of the largest IoU is chosen (of equal ones that of the smaller Disp,
    then the better ranked), and both figures are its own. In ``"independent"`` mode the largest IoU and the
    smallest Disp may belong to different predictions.

    Args:
        iou: (P,) IoU of the predictions, best score first.
        disp: (P,) Disp of the same.
        topk: The values of N; with fewer predictions than N those there are compete, with none at all the photo
            gets IoU 0 and Disp 1.
        mode: One of the two above.

    Returns:
        IoU (len(topk),) and Disp (len(topk),), float64.

    Raises:
        ValueError: If an N is below 1 or the mode unknown.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    if any(n < 1 for n in topk):
        raise ValueError(f"every N must be 1 or more, got {tuple(topk)}")
    iou, disp = np.asarray(iou, dtype=np.float64), np.asarray(disp, dtype=np.float64)
    if len(iou) == 0:
        return np.full(len(topk), WORST[0]), np.full(len(topk), WORST[1])
    if mode == "independent":
        pairs = [(iou[:n].max(), disp[:n].min()) for n in topk]
    else:
        best = [np.lexsort((disp[:n], -iou[:n]))[0] for n in topk]
        pairs = [(iou[i], disp[i]) for i in best]
    best_iou, best_disp = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return best_iou, best_disp


def iou_disp(
    pred: ArrayLike,
    gt: ArrayLike,
    size: tuple[float, float],
    topk: Sequence[int] = (1, 2, 3),
    mode: str = "same_annotation",
) -> tuple[np.ndarray, np.ndarray]:
    """IoU@N and Disp@N of one photo: ``iou_disp_per_prediction`` followed by ``best_of_n``.

    Args:
        pred: (P, 4) ``xyxy`` pixels, best score first.
        gt: (M, 4) ``xyxy`` pixels of the valid annotated crops.
        size: The photo's (width, height).
        topk: The values of N.
        mode: ``"same_annotation"`` or ``"independent"``.

    Returns:
        IoU (len(topk),) and Disp (len(topk),), float64.

    Raises:
        ValueError: If the mode is unknown, an N below 1, or there is no annotated crop.
    """
    pred = np.asarray(pred, dtype=np.float64).reshape(-1, 4)[: max(topk, default=0)]
    return best_of_n(*iou_disp_per_prediction(pred, gt, size, mode), topk, mode)
