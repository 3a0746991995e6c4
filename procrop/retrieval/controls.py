"""Neighbour tables for control experiments: is a gain due to what is retrieved, or to having references at all?

Each control keeps the table's form (queries, K, gallery) and changes which gallery photos a query gets.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .gallery import Gallery
from .neighbour_table import NeighbourTable


def shuffled_table(
    table: NeighbourTable,
    query_ids: Sequence[str],
    seed: int = 0,
    sources: Sequence[str] | None = None,
    barred: Callable[[str], np.ndarray] | None = None,
) -> NeighbourTable:
    """Give the named queries one another's references, none its own; the other rows stay.

    Args:
        table: The table to start from.
        query_ids: At least two queries of it.
        seed: Seed of the shuffle.
        sources: What each of them was made from: none gets the references of a query of the same source. By default
            every query is a source of its own.
        barred: Query id to gallery ids that it may not have, whoever's they are; a row that loses some gets shorter.

    Raises:
        ValueError: Fewer than two queries, or more than half of them have one source.
    """
    if len(query_ids) < 2:
        raise ValueError(f"a shuffle needs at least two queries, got {len(query_ids)}")
    by_source: dict[str, list[int]] = {}
    positions = {name: row for row, name in enumerate(table.query_ids)}
    for number in np.random.default_rng(seed).permutation(len(query_ids)):
        query = query_ids[number]
        by_source.setdefault(query if sources is None else sources[number], []).append(positions[query])
    largest = max(len(rows) for rows in by_source.values())
    if 2 * largest > len(query_ids):
        raise ValueError(
            f"{largest} of {len(query_ids)} queries have one source: nothing to exchange them with"
        )
    # sources stand together in a random order, so a cyclic shift by the largest one leads every row out of its own
    takers = np.array([row for rows in by_source.values() for row in rows])
    givers = np.roll(takers, largest)
    ids, scores = table.ids.copy(), table.scores.copy()
    ids[takers], scores[takers] = table.ids[givers], table.scores[givers]
    if barred is not None:
        for row in takers:
            _drop(ids[row], scores[row], barred(table.query_ids[row]))
    return replace(table, ids=ids, scores=scores, path=None)


def random_table(
    table: NeighbourTable,
    gallery: Gallery,
    keys: np.ndarray | None,
    seed: int = 0,
    barred: Callable[[str], np.ndarray] | None = None,
) -> NeighbourTable:
    """References drawn at random from the gallery, as many for each query as it has in the table.

    Args:
        table: Gives queries, K, and without ``keys`` the similarities too.
        gallery: Gallery of the table, with at least K photos.
        keys: Keys of the table's queries, (Q, d) float32, in its order: each reference carries its true similarity
            to the query. None leaves the query's row of similarities as it is, so that only the photos change.
        seed: Seed of the draw.
        barred: Query id to gallery ids that it may not have.
    """
    rng = np.random.default_rng(seed)
    every = np.arange(len(gallery))
    chosen, scores = np.full_like(table.ids, -1), np.zeros_like(table.scores)
    for row, query in enumerate(table.query_ids):
        allowed = every if barred is None else np.setdiff1d(every, barred(query))
        number = min(len(allowed), int((table.ids[row] >= 0).sum()))
        chosen[row, :number] = rng.choice(allowed, number, replace=False)
        scores[row, :number] = table.scores[row, :number]
    drawn = replace(table, ids=chosen, scores=scores, path=None)
    return drawn if keys is None else rescored_table(drawn, gallery, keys)


def rescored_table(table: NeighbourTable, gallery: Gallery, keys: np.ndarray) -> NeighbourTable:
    """The same references, each with its true similarity to its query, nearest first.

    Args:
        table: References of any origin.
        gallery: Gallery of the table.
        keys: Keys of the table's queries, (Q, d) float32, in its order.
    """
    return _ranked(table, gallery, keys, table.ids)


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


def _drop(ids: np.ndarray, scores: np.ndarray, barred: np.ndarray) -> None:
    """Take barred ids out of a row (K,) in place, and pad its end."""
    kept = (ids >= 0) & ~np.isin(ids, barred)
    number = int(kept.sum())
    ids[:number], scores[:number] = ids[kept], scores[kept]
    ids[number:], scores[number:] = -1, 0
