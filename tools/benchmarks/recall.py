"""Recall against speed of approximate indexes, over keys that cluster as photos' keys do."""

import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_CLUSTERS, _LATENT, _SPREAD, _NOISE = 1000, 32, 0.5, 0.05
_K = 10


def clustered_keys(number: int, dim: int, seed: int = 0) -> np.ndarray:
    """Keys (number, dim) float32 in 1,000 clusters of a 32-dimensional space within theirs.

    Latent points are a centre, drawn from N(0, I), plus 0.5 N(0, I); clusters are drawn with weights 1 / rank. A fixed
    random matrix takes them to ``dim`` numbers of about unit variance, and 0.05 N(0, I) is added. Centres and matrix
    do not depend on ``seed``, so queries come from another seed.
    """
    fixed = np.random.default_rng(1)
    centres = fixed.standard_normal((_CLUSTERS, _LATENT), dtype=np.float32)
    matrix = fixed.standard_normal((_LATENT, dim), dtype=np.float32) / np.float32(np.sqrt(_LATENT))
    weights = 1 / np.arange(1, _CLUSTERS + 1)
    rng = np.random.default_rng([2, seed])
    keys = np.empty((number, dim), np.float32)
    for start in range(0, number, 100_000):
        part = keys[start : start + 100_000]
        cluster = rng.choice(_CLUSTERS, len(part), p=weights / weights.sum())
        latent = centres[cluster] + _SPREAD * rng.standard_normal((len(part), _LATENT), dtype=np.float32)
        part[:] = latent @ matrix + _NOISE * rng.standard_normal(part.shape, dtype=np.float32)
    return keys


class Point(NamedTuple):
    """One setting of an index.

    Attributes:
        settings: What was set.
        recall: Share of the 10 true neighbours that are found, mean over queries.
        speed: How many times as many queries per second as exact search, median.
        rate: Queries per second, median.
    """

    settings: str
    recall: float
    speed: float
    rate: float


def sweep(number: int, dim: int) -> Iterator[tuple[str, dict[str, int], list[dict[str, int]]]]:
    """Factories for this many keys, build settings, and the search settings to go through."""
    yield "HNSW24", {"ef_construction": 40}, [{"ef_search": ef} for ef in (12, 16, 20, 32, 64, 128)]
    lists = 2 ** round(np.log2(2 * np.sqrt(number)))
    probes = [(8, 4), (8, 8), (16, 8), (24, 8), (32, 8), (48, 16), (64, 16)]
    # half a byte for each number of a key
    yield f"IVF{lists},PQ{dim}x4fs,RFlat", {}, [{"nprobe": n, "k_factor": f} for n, f in probes]


def curve(
    index: Any, exact: Any, queries: np.ndarray, settings: list[dict[str, int]], pairs: int
) -> list[Point]:
    """Recall and speed of an index at several settings, timed in turn with exact search."""
    truth = exact.search(queries, _K)[0]
    points = []
    for chosen in settings:
        index.settings.update(chosen)
        found = index.search(queries, _K)[0]
        recall = np.mean([len(np.intersect1d(a, b)) / _K for a, b in zip(found, truth, strict=True)])
        times = [(_seconds(index, queries), _seconds(exact, queries)) for _ in range(pairs)]
        label = ", ".join(f"{name} {value}" for name, value in chosen.items())
        speed = statistics.median(b / a for a, b in times)
        points.append(
            Point(label, float(recall), speed, len(queries) / statistics.median(a for a, _ in times))
        )
        print(f"  {label}: recall {recall:.3f}, {speed:.1f} x exact", flush=True)
    return points


def _seconds(index: Any, queries: np.ndarray) -> float:
    start = time.perf_counter()
    index.search(queries, _K)
    return time.perf_counter() - start


def curves(number: int, dim: int, num_queries: int, pairs: int, target: float, threads: int) -> list[str]:
    """Markdown rows of all factories over ``number`` keys; the target is speed at a recall of 0.95."""
    from procrop.retrieval import FaissIndex

    keys, queries = clustered_keys(number, dim), clustered_keys(num_queries, dim, seed=1)
    exact = filled(FaissIndex("Flat"), keys)
    rows = []
    for factory, build, settings in sweep(number, dim):
        start = time.perf_counter()
        index = filled(FaissIndex(factory, build_threads=threads, **build), keys)
        seconds = time.perf_counter() - start
        print(f"{factory} over {number:,} keys, built in {seconds:.0f} s", flush=True)
        points = curve(index, exact, queries, settings, pairs)
        good = [point.speed for point in points if point.recall >= 0.95]
        for point in points:
            rows.append(
                f"| {number:,} | {factory} ({seconds:.0f} s) | {point.settings} | {point.recall:.3f} "
                f"| {point.rate:,.0f} | {point.speed:.1f} | |"
            )
        verdict = f"{max(good):.1f}" if good else "recall not reached"
        met = "met" if good and max(good) >= target else "missed"
        rows.append(
            f"| {number:,} | {factory} | best at recall >= 0.95 | | | {verdict} | >= {target:g} {met} |"
        )
    return rows


def filled(index: Any, keys: np.ndarray) -> Any:
    """An index that holds keys under ids 0, 1, ..."""
    index.train(keys)
    index.add(np.arange(len(keys)), keys)
    return index
