"""Neighbour tables for control experiments: is a gain due to what is retrieved, or to having references at all?

Each control keeps the table's form (queries, K, gallery) and changes which gallery photos a query gets.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .gallery import Gallery
from .neighbour_table import NeighbourTable


def shuffled_table(table: NeighbourTable, query_ids: Sequence[str], seed: int = 0) -> NeighbourTable:
    """Give the named queries one another's references, none its own; the other rows stay.

    Args:
        table: The table to start from.
        query_ids: At least two queries of it.
        seed: Seed of the shuffle.

    Raises:
        ValueError: Fewer than two queries.
    """
    if len(query_ids) < 2:
        raise ValueError(f"a shuffle needs at least two queries, got {len(query_ids)}")
    rows = np.array([table.query_ids.index(q) for q in query_ids])
    order = np.random.default_rng(seed).permutation(len(rows))
    ids, scores = table.ids.copy(), table.scores.copy()
    # a cyclic shift along a random order moves every row
    ids[rows[order]], scores[rows[order]] = (
        table.ids[np.roll(rows[order], 1)],
        table.scores[np.roll(rows[order], 1)],
    )
    return replace(table, ids=ids, scores=scores, path=None)


def random_table(table: NeighbourTable, gallery: Gallery, keys: np.ndarray, seed: int = 0) -> NeighbourTable:
    """References drawn at random from the gallery, each with its true similarity to the query.

    Args:
        table: Gives queries and K.
        gallery: Gallery of the table, with at least K photos.
        keys: Keys of the table's queries, (Q, d) float32, in its order.
        seed: Seed of the draw.
    """
    rng = np.random.default_rng(seed)
    chosen = np.stack([rng.choice(len(gallery), table.k, replace=False) for _ in table.query_ids])
    return _ranked(table, gallery, keys, chosen)


def restricted_table(
    table: NeighbourTable, gallery: Gallery, keys: np.ndarray, allowed: Callable[[str], np.ndarray]
) -> NeighbourTable:
    """The nearest references among those that each query may have.

    Args:
        table: Gives queries and K.
        gallery: Gallery of the table.
        keys: Keys of the table's queries, (Q, d) float32, in its order.
        allowed: Query id to the gallery ids (n,) it may have.
    """
    chosen = np.full(table.ids.shape, -1, np.int64)
    for row, query in enumerate(table.query_ids):
        forbidden = np.setdiff1d(np.arange(len(gallery)), allowed(query))
        ids, _ = gallery.search_keys(keys[row : row + 1], table.k, forbidden)
        chosen[row, : ids.shape[1]] = ids[0]
    return _ranked(table, gallery, keys, chosen)


def _ranked(table: NeighbourTable, gallery: Gallery, keys: np.ndarray, chosen: np.ndarray) -> NeighbourTable:
    """Chosen ids (Q, K), padded with -1, sorted by (-score, id) with their true scores."""
    ids, scores = np.full_like(table.ids, -1), np.zeros_like(table.scores)
    for row, wanted in enumerate(chosen):
        wanted = wanted[wanted >= 0]
        forbidden = np.setdiff1d(np.arange(len(gallery)), wanted)
        found, score = gallery.search_keys(keys[row : row + 1], len(wanted), forbidden)
        ids[row, : found.shape[1]], scores[row, : found.shape[1]] = found[0], score[0]
    return replace(table, ids=ids, scores=scores, path=None)
