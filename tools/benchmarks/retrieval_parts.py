"""The parts of retrieval.py: each measures one thing and yields its Markdown, a table head first, then rows."""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
_K = 10
_HEAD = "| | this project | the other side | times as fast: median (range) | target |\n|---|---|---|---|---|"


def row(name: str, times: "object", target: float | None, unit: float = 1e3) -> str:
    """One Markdown row of `PairedTimes`; the target is on speed, the other side's seconds over ours."""
    ratios = sorted(1 / ratio for ratio in times.ratios)
    middle = statistics.median(ratios)
    ours, peer = (statistics.median(side) * unit for side in (times.ours, times.peer))
    verdict = "none" if target is None else f">= {target:g} {'met' if middle >= target else 'missed'}"
    what = {1e3: "ms", 1e6: "us"}[unit]
    return (
        f"| {name} | {ours:.0f} {what} | {peer:.0f} {what} | {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) "
        f"| {verdict} |"
    )


def unit_keys(number: int, dim: int, seed: int) -> np.ndarray:
    """Random keys (number, dim) float32 of unit length."""
    keys = np.random.default_rng(seed).standard_normal((number, dim), dtype=np.float32)
    return keys / np.linalg.norm(keys, axis=1, keepdims=True)


def plain_searches(keys: np.ndarray, queries: np.ndarray) -> dict[str, Callable[[], object]]:
    """The plain way with NumPy and with torch: all products in float32, then the 10 largest."""
    import torch

    tensors = torch.from_numpy(keys), torch.from_numpy(queries)

    def with_numpy() -> np.ndarray:
        products = queries @ keys.T
        top = np.argpartition(products, -_K, axis=1)[:, -_K:]
        order = np.argsort(-np.take_along_axis(products, top, 1), axis=1)
        return np.take_along_axis(top, order, 1)

    return {"NumPy": with_numpy, "torch": lambda: torch.topk(tensors[1] @ tensors[0].T, _K)}


def fastest(ways: dict[str, Callable[[], object]]) -> str:
    """Name of the fastest of several ways, by the best of three runs."""

    def best(run: Callable[[], object]) -> float:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    return min(ways, key=lambda name: best(ways[name]))


def run_exact(args: argparse.Namespace) -> Iterator[str]:
    """Exact search of a batch against the plain matrix product with top-k, whichever library is faster."""
    from pairs import time_pairs
    from recall import filled

    from procrop.retrieval import FaissIndex

    yield f"Exact top-{_K} over {args.keys:,} keys, against a float32 matrix product and top-k\n\n{_HEAD}"
    for dim in args.dims:
        keys = unit_keys(args.keys, dim, 0)
        index = filled(FaissIndex("Flat"), keys)
        for number in (args.queries, 1):
            queries = unit_keys(number, dim, 1)
            ways = plain_searches(keys, queries)
            peer = fastest(ways)
            times = time_pairs(lambda q=queries, i=index: i.search(q, _K), ways[peer], args.pairs)
            name = f"{number} {'queries' if number > 1 else 'query'} of {dim} numbers, against {peer}"
            yield row(name, times, 0.8 if number > 1 else None)


def run_batch(args: argparse.Namespace) -> Iterator[str]:
    """A batch of queries against the same queries one at a time."""
    from pairs import time_pairs
    from recall import filled

    from procrop.retrieval import FaissIndex

    yield f"{args.queries // 4} queries together, against one at a time (exact, {args.keys:,} keys)\n\n{_HEAD}"
    for dim in args.dims:
        index = filled(FaissIndex("Flat"), unit_keys(args.keys, dim, 0))
        queries = unit_keys(args.queries // 4, dim, 1)

        def one_by_one(index: FaissIndex = index, queries: np.ndarray = queries) -> None:
            for i in range(len(queries)):
                index.search(queries[i : i + 1], _K)

        together = lambda i=index, q=queries: i.search(q, _K)  # noqa: E731
        yield row(f"keys of {dim} numbers", time_pairs(together, one_by_one, min(args.pairs, 3)), None)


def run_curves(args: argparse.Namespace) -> Iterator[str]:
    """Approximate indexes: recall against speed at two sizes."""
    from recall import curves

    yield (
        f"Approximate search over clustered keys of {args.curve_dim} numbers, {args.queries} queries at once\n\n"
        f"| keys | factory (built in) | settings | recall@{_K} | queries/s | times exact | target |\n"
        f"|---|---|---|---|---|---|---|"
    )
    for number, target in ((args.keys, 3.0), (args.many, 10.0)):
        yield from curves(number, args.curve_dim, args.queries, min(args.pairs, 3), target, args.threads)


def run_growth(args: argparse.Namespace) -> Iterator[str]:
    """Exact search as the number of keys grows hundredfold."""
    from recall import clustered_keys, filled

    from procrop.retrieval import FaissIndex

    yield (
        f"Exact search as the gallery grows, keys of {args.curve_dim} numbers\n\n"
        f"| keys | add | one query | {args.queries} queries, per query | per query and 1,000 keys |\n"
        f"|---|---|---|---|---|"
    )
    keys, queries = (clustered_keys(n, args.curve_dim, s) for n, s in ((args.many, 0), (args.queries, 1)))
    for share in (0.01, 0.03, 0.1, 0.3, 1.0):
        number = int(args.many * share)
        start = time.perf_counter()
        index = filled(FaissIndex("Flat"), keys[:number])
        add = time.perf_counter() - start
        alone, together = (
            _median_seconds(lambda q=q, i=index: i.search(q, _K)) for q in (queries[:1], queries)
        )
        each = together / len(queries)
        yield (
            f"| {number:,} | {add:.2f} s | {alone * 1e3:.1f} ms | {each * 1e3:.3f} ms "
            f"| {each / number * 1e9:.2f} us |"
        )


def _median_seconds(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def run_store(args: argparse.Namespace) -> Iterator[str]:
    """Tokens of 10 random neighbours from a FeatureStore, against one memory-mapped file of the same bytes."""
    from pairs import time_pairs

    from procrop.retrieval import FeatureStore

    shape, reads = (64, 256), 200
    yield f"Tokens of {_K} random photos out of {args.rows:,}, {shape} float16, both in the page cache\n\n{_HEAD}"
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(prefix="procrop-bench-") as folder:
        store = FeatureStore.create(Path(folder) / "store", shape, "float16")
        with open(Path(folder) / "raw", "wb") as file:
            for start in range(0, args.rows, 256):
                part = rng.standard_normal((min(256, args.rows - start), *shape), dtype=np.float32).astype(
                    np.float16
                )
                store.append(part)
                file.write(part.data)
        raw = np.memmap(Path(folder) / "raw", np.float16, "r", shape=(args.rows, *shape))
        rows = rng.integers(0, args.rows, (reads, _K))
        ours, peer = (partial(_read_each, read, rows) for read in (store.read, raw.__getitem__))
        times = time_pairs(ours, peer, max(args.pairs, 3))
        yield row(f"{reads} reads of {_K} x 32 kB", times, 0.7, unit=1e6)
        del raw


def _read_each(read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> None:
    for own in rows:
        read(own)


def draw_photos(folder: Path, number: int, width: int, height: int) -> list[Path]:
    """Photos of smooth colours with some grain, as JPEG of quality 95."""
    import cv2

    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = [folder / f"{i:04d}.jpg" for i in range(number)]
    for path in paths:
        blocks = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        photo = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        grain = rng.standard_normal(photo.shape, dtype=np.float32) * 6
        cv2.imwrite(str(path), np.clip(photo + grain, 0, 255).astype(np.uint8))
    return paths


def run_encode(args: argparse.Namespace) -> Iterator[str]:
    """A gallery built from files, against the encoder's forward passes over photos that lie ready in memory."""
    from pairs import time_pairs

    from procrop.io import read_photo
    from procrop.registry import RETRIEVAL_BACKBONES
    from procrop.retrieval import build_gallery, items_from_folder

    width, height = (int(n) for n in args.photo_size.split("x"))
    config = dict(backbone=dict(type="EfficientNetLiteRetrieval"))
    encoder = RETRIEVAL_BACKBONES.build(config["backbone"])
    yield (
        f"A gallery of {args.photos} photos of {width} x {height} (read, resize, encode, write, index), against "
        f"the bare forward passes\n\n{_HEAD}"
    )
    with tempfile.TemporaryDirectory(prefix="procrop-bench-") as name:
        folder = Path(name)
        paths = draw_photos(folder / "photos", args.photos, width, height)
        items = items_from_folder(folder / "photos")
        ready = [encoder.prepare(read_photo(path)) for path in paths]
        fresh = iter(range(1000))

        def build() -> None:
            gallery = folder / f"gallery{next(fresh)}"
            build_gallery(gallery, items, config, folder / "photos", workers=args.threads, backbone=encoder)

        times = time_pairs(build, lambda: encoder.encode(ready), min(args.pairs, 3))
        yield row("EfficientNet-lite0", times, 0.9)
