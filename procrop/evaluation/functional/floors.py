"""What one gets for nothing: a uniformly random ranking of given boxes, the whole photo, a centred crop.

A score means little without the floor of the same protocol on the same data. All floors of a random ranking are exact
expectations, except where an annotated crop may be used once only (``one_to_one``), which is sampled with a fixed seed.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from procrop.evaluation.functional.iou_disp import MODES
from procrop.evaluation.functional.ranking import top_crops
from procrop.evaluation.functional.topn_accuracy import hit_shares


def full_photo(size: tuple[float, float]) -> np.ndarray:
    """The whole photo as a crop: (1, 4) ``xyxy`` pixels for (width, height)."""
    return np.array([[0.0, 0.0, size[0], size[1]]])


def centre_crop(size: tuple[float, float], side: float = 0.8) -> np.ndarray:
    """The centred crop of ``side`` times both sides: (1, 4) ``xyxy`` pixels for (width, height)."""
    low, high = (1 - side) / 2, (1 + side) / 2
    return np.array([[low * size[0], low * size[1], high * size[0], high * size[1]]])


@lru_cache(maxsize=1024)
def first_of_sample(m: int, n: int) -> np.ndarray:
    """P(item i is the smallest of n drawn from 0..m-1 without replacement), (m,), not to be written to."""
    n = min(n, m)
    return np.array([comb(m - 1 - i, n - 1) / comb(m, n) for i in range(m)])


def random_rankings(m: int, longest: int, repeats: int, seed: int | Sequence[int]) -> np.ndarray:
    """The first places of random rankings of m items: (repeats, at most ``longest``) int64."""
    rankings = np.tile(np.arange(m), (repeats, 1))
    return np.random.default_rng(seed).permuted(rankings, axis=1, out=rankings)[:, :longest]


def random_iou_disp(
    iou: ArrayLike, disp: ArrayLike, topk: Sequence[int] = (1, 2, 3), mode: str = "same_annotation"
) -> tuple[np.ndarray, np.ndarray]:
    """Expected IoU@N and Disp@N of a random ranking of the given boxes.

    Args:
        iou: (M,) IoU of each box, from :func:`~procrop.evaluation.functional.iou_disp_per_prediction`.
        disp: (M,) Disp of the same, M of 1 or more.
        topk: The values of N.
        mode: ``"same_annotation"`` or ``"independent"``, as for the predictions.

    Returns:
        IoU (len(topk),) and Disp (len(topk),), float64.

    Raises:
        ValueError: If the mode is unknown or there is no box.
    """
    iou, disp = np.asarray(iou, dtype=np.float64), np.asarray(disp, dtype=np.float64)
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}, got {mode!r}")
    if len(iou) == 0:
        raise ValueError("a random ranking needs at least one box")
    by_iou = np.lexsort((disp, -iou))  # the order in which best_of_n prefers them
    by_disp = np.argsort(disp) if mode == "independent" else by_iou
    chances = [first_of_sample(len(iou), n) for n in topk]
    return (
        np.array([chance @ iou[by_iou] for chance in chances]),
        np.array([chance @ disp[by_disp] for chance in chances]),
    )


def random_topn_accuracy(
    iou: ArrayLike,
    mos: ArrayLike,
    n: int,
    ks: Sequence[int] = (1, 2, 3, 4),
    eps: float = 0.85,
    ties: str = "file_order",
    one_to_one: bool = False,
    repeats: int = 200,
    seed: int | Sequence[int] = 0,
) -> np.ndarray:
    """Expected ACC_{K/N} of a random ranking of the annotated crops.

    Args:
        iou: (M, M) IoU of the valid annotated crops with each other.
        mos: (M,) mean opinion scores.
        n: N.
        ks: The values of K.
        eps: Smallest IoU of a hit.
        ties: As for the predictions.
        one_to_one: As for the predictions; this one is sampled.
        repeats: How many random rankings are drawn when sampling.
        seed: Seed of the draws.

    Returns:
        (len(ks),) float64.

    Raises:
        ValueError: If N or a K is below 1 or ``ties`` unknown.
    """
    hits = np.asarray(iou, dtype=np.float64)[:, top_crops(mos, n, ties)] >= eps
    m, longest = len(hits), max(ks, default=0)
    if one_to_one:
        draws = [hit_shares(hits[rows], ks, True) for rows in random_rankings(m, longest, repeats, seed)]
        return np.mean(draws, axis=0)
    # each of the K places holds every crop equally often; places beyond M stay empty
    filled = np.array([min(k, m) / k for k in ks], dtype=np.float64)
    return hits.any(axis=1).mean() * filled


def random_best_crop_recall(
    iou: ArrayLike, mos: ArrayLike, n: int, eps: float = 0.85, ties: str = "file_order"
) -> float:
    """Expected recall of the best crop in the top N of a random ranking of the annotated crops.

    With h of M crops close enough to the best one: 1 - C(M - h, N) / C(M, N).

    Args:
        iou: (M, M) IoU of the valid annotated crops with each other.
        mos: (M,) mean opinion scores.
        n: N.
        eps: Smallest IoU of a hit.
        ties: As for the predictions.

    Returns:
        A probability.

    Raises:
        ValueError: If ``ties`` is unknown.
    """
    hits = (np.asarray(iou, dtype=np.float64)[:, top_crops(mos, 1, ties)] >= eps).any(axis=1)
    m = len(hits)
    n = min(n, m)
    return 1.0 - comb(m - int(hits.sum()), n) / comb(m, n)


def random_grid_accuracy(
    mos: ArrayLike, n: int, ks: Sequence[int] = (1, 2, 3, 4), ties: str = "include"
) -> np.ndarray:
    """Expected exact-grid ACC_{K/N} of a random ranking of the annotated crops.

    Args:
        mos: (M,) mean opinion scores.
        n: N.
        ks: The values of K.
        ties: As for the model.

    Returns:
        (len(ks),) float64.

    Raises:
        ValueError: If N is below 1 or ``ties`` unknown.
    """
    m = np.asarray(mos).shape[0]
    share = len(top_crops(mos, n, ties)) / m
    return np.array([share * min(k, m) / k for k in ks], dtype=np.float64)


def random_weighted_grid_accuracy(
    m: int, n: int, ks: Sequence[int] = (1, 2, 3, 4), beta: float = 0.2
) -> np.ndarray:
    """Expected rank-weighted accuracy of a random ranking of m crops.

    The j-th smallest of K ranks drawn from 0..m-1 equals r with probability C(r, j) C(m-1-r, K-1-j) / C(m, K).

    Args:
        m: Number of annotated crops.
        n: N.
        ks: The values of K.
        beta: Price of a rank.

    Returns:
        (len(ks),) float64.
    """
    values = []
    for k in ks:
        drawn = min(k, m)
        total = sum(
            comb(r, j) * comb(m - 1 - r, drawn - 1 - j) / comb(m, drawn) * np.exp(-beta * (r - j))
            for j in range(drawn)
            for r in range(min(n, m))
        )
        values.append(total / k)
    return np.array(values, dtype=np.float64)
