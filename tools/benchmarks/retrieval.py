"""What retrieval costs, part by part, each against the plainest way of doing the same in the same run.

    python tools/benchmarks/retrieval.py [--parts exact batch curves growth store encode] [--quick] [--out FILE.md]

Speed ratios are of interleaved pairs whose order alternates; above 1 is faster than the other side. Both sides have the
same threads. Keys are drawn, or clustered as tools/benchmarks/recall.py says; photos are drawn and saved as JPEG.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
PARTS = ("exact", "batch", "curves", "growth", "store", "encode")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help="default: all")
    add("--quick", action="store_true", help="tiny sizes, to see that it runs; its figures mean nothing")
    add(
        "--keys",
        type=int,
        default=55_000,
        help="keys of exact, batch and the small curves (default %(default)s)",
    )
    add(
        "--dims",
        type=int,
        nargs="+",
        default=[1280, 256],
        help="lengths of the keys of exact (default 1280 256)",
    )
    add(
        "--many",
        type=int,
        default=1_000_000,
        help="keys of the large curves and growth (default %(default)s)",
    )
    add(
        "--curve-dim",
        type=int,
        default=128,
        help="length of the keys of curves and growth (default %(default)s)",
    )
    add("--queries", type=int, default=512, help="queries of a batch (default %(default)s)")
    add("--rows", type=int, default=8192, help="rows of the feature store (default %(default)s)")
    add("--photos", type=int, default=192, help="photos to encode (default %(default)s)")
    add("--photo-size", default="640x480", help="size of those photos, WIDTHxHEIGHT (default %(default)s)")
    add("--pairs", type=int, default=7, help="counted pairs per figure (default %(default)s)")
    add("--threads", type=int, default=os.cpu_count(), help="threads of both sides (default: all)")
    add("--out", type=Path, help="also write the tables to this file")
    args = parser.parse_args(argv)
    if args.quick:
        tiny = dict(keys=2000, dims=[32], many=4000, curve_dim=64, queries=40, rows=96, photos=6, pairs=1)
        vars(args).update(tiny)
    return args


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)
    import faiss
    import numpy as np
    import retrieval_parts
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    title = (
        f"{args.threads} threads, numpy {np.__version__}, torch {torch.__version__}, faiss {faiss.__version__}, "
        f"{args.pairs} pairs{', QUICK: the figures mean nothing' if args.quick else ''}"
    )
    tables = [title]
    with threadpool_limits(args.threads):
        for part in args.parts:
            start = time.perf_counter()
            print(f"== {part}", flush=True)
            tables.append("\n".join(getattr(retrieval_parts, f"run_{part}")(args)))
            print(f"{tables[-1]}\n== {part}: {time.perf_counter() - start:.0f} s", flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text("\n\n".join(tables) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
