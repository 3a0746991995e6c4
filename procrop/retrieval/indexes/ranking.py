"""The k best of proposed candidates, scored again in float64 so that nothing depends on who proposed them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .exclusion import Exclusion

# candidates fetched beyond the k wanted, so that ties at the border rarely cost a second round
MARGIN = 8
# numbers that are scored at once (float64), and candidates that are looked at once
_SCORED_AT_ONCE = 1 << 17
_RANKED_AT_ONCE = 1 << 20


class Proposal(NamedTuple):
    """Candidates of q queries, c each, best first.

    Attributes:
        rows: (q, c) int64, the index's own name of each key; -1 behind the last where there are no more.
        near: (q, c) float32 scores they were chosen by, descending, each within the search's ``slack`` of the true
            one; None when they are not known, and then every candidate is scored.
        complete: Whether these are all keys there are.
    """

    rows: np.ndarray
    near: np.ndarray | None
    complete: bool


def pair_scores(
    queries: np.ndarray,
    which: np.ndarray,
    rows: np.ndarray,
    vectors: Callable[[np.ndarray], np.ndarray],
    metric: str,
) -> np.ndarray:
    """Scores (m,) float64 of pairs, each summed in the same order whatever else is scored with it.

    Args:
        queries: (Q, d) float32.
        which: (m,) each pair's query.
        rows: (m,) each pair's key, as ``vectors`` knows it.
        vectors: Gives the keys (n, d) float32 of rows (n,).
        metric: Name of the metric; under the cosine both sides have unit length.
    """
    wide = queries.astype(np.float64)
    scores = np.empty(len(rows), np.float64)
    step = max(1, _SCORED_AT_ONCE // queries.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        product = vectors(rows[part]).astype(np.float64)
        if metric == "l2":
            product -= wide[which[part]]
            product *= -product
        else:
            product *= wide[which[part]]
        scores[part] = product.sum(axis=1)
    return scores


def slack_of(queries: np.ndarray, largest: float, metric: str) -> np.ndarray:
    """Twice the worst rounding (Q,) of float32 scores of queries (Q, d) with keys of at most length ``largest``."""
    length = np.sqrt(np.einsum("qd,qd->q", queries, queries, dtype=np.float64))
    scale = (length + largest) ** 2 if metric == "l2" else length * largest
    return 2 * queries.shape[1] * float(np.finfo(np.float32).eps) * scale


def rank_exactly(
    queries: np.ndarray,
    k: int,
    exclusion: Exclusion,
    metric: str,
    slack: np.ndarray,
    propose: Callable[[np.ndarray, int], Proposal],
    ids_of: Callable[[np.ndarray], np.ndarray],
    vectors: Callable[[np.ndarray], np.ndarray],
    surplus: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The k best keys of each query by (-float64 score, id), however many tie.

    Args:
        queries: (Q, d) float32.
        k: At least 1.
        exclusion: What is passed over.
        metric: Name of the metric.
        slack: (Q,) how far proposed scores may be from the true ones.
        propose: Gives the ``wanted`` best candidates of some queries (q,), by their numbers.
        ids_of: Gives the ids of rows of any shape, -1 for -1.
        vectors: Gives the keys (n, d) float32 of rows (n,).
        surplus: Candidates that may be excluded ones; None takes the most that a query excludes.

    Returns:
        ids (Q, k) int64, -1 where a query has fewer, and scores (Q, k) float64.
    """
    ids = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf)
    waiting = np.arange(len(queries))
    wanted = k + MARGIN + (exclusion.largest if surplus is None else surplus)
    while len(waiting):
        unsettled = []
        for block in np.array_split(waiting, -(-len(waiting) * wanted // _RANKED_AT_ONCE)):
            rows, near, complete = propose(block, wanted)
            found, limits = ids_of(rows), slack[block]
            free = (rows >= 0) & ~exclusion.mask(block, found)
            if near is None:
                worth = rows >= 0
            else:
                worth = free & (near >= _border(near, free, k, 2 * limits)[:, None])
            exact = np.full(found.shape, -np.inf)
            which, column = np.nonzero(worth)
            exact[worth] = pair_scores(queries, block[which], rows[which, column], vectors, metric)
            last = exact[:, -1] if near is None else near[:, -1]
            exact = np.where(free, exact, -np.inf)
            best = np.lexsort((found, -exact))[:, :k]
            top = np.take_along_axis(exact, best, 1)
            width = best.shape[1]
            ids[block, :width] = np.where(top > -np.inf, np.take_along_axis(found, best, 1), -1)
            scores[block, :width] = top
            if not complete:
                # a key that was not proposed may still be as good as the k-th
                settled = (width == k) & (top[:, -1] > last + limits) | (rows[:, -1] < 0)
                unsettled.append(block[~settled])
        waiting = np.concatenate(unsettled) if unsettled else waiting[:0]
        wanted *= 2
    return ids, scores


def _border(near: np.ndarray, free: np.ndarray, k: int, slack: np.ndarray) -> np.ndarray:
    """Proposed score (q,) below which a candidate cannot be among the k best; -inf where fewer are free."""
    reached = free.cumsum(axis=1) >= k
    kth = near[np.arange(len(near)), reached.argmax(axis=1)] - slack
    return np.where(reached[:, -1], kth, -np.inf)


def sort_by_score(ids: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best columns of ids (Q, c) and scores (Q, c) by (-score, id), -1 and -inf last, padded to k."""
    scores = np.where(ids >= 0, scores, -np.inf)
    best = np.lexsort((ids, -scores))[:, :k]
    ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
    missing = ((0, 0), (0, k - best.shape[1]))
    return np.pad(ids, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf)
