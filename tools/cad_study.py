#!/usr/bin/env python
"""Does the second stage help? Two stages of weak supervision against the first alone, for as many iterations.

    python tools/cad_study.py DATA [--flms data/flms] [--out work_dirs/cad_study] [--seeds 0 1 2] [--decoys]

DATA is a set that `tools/cad.py generate` made; its test split is held out, and nothing is chosen by it. For each seed:
trains both stages through tools/train.py, goes on with stage 1 from the same checkpoint for as many epochs, and tests
both on the held-out photos and on FLMS: IoU and displacement of the best of N = 1, 2, 3 crops, and their paired
differences with intervals. Also reported: how the labels changed, and how far predicted borders follow seams, with and
without decoys in training (--decoys). What is finished is not done again.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the generated set")
    parser.add_argument(
        "--flms", type=Path, help="folder of FLMS or of a part of it; also the photos of the seam probe"
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/cad_study"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--photos", type=int, default=200, help="training photos, the set's first (default 200)"
    )
    parser.add_argument("--epochs", type=int, default=10, help="epochs of each stage (default 10)")
    parser.add_argument(
        "--probes", type=int, default=20, help="photos of the seam probe (default 20; 0: no probe)"
    )
    parser.add_argument(
        "--decoys", action="store_true", help="also train with decoy seams; takes half as long again"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="seeds at work at once, one thread each (default 1)"
    )
    args = parser.parse_args(argv)
    if args.epochs < 2:
        parser.error("--epochs: each stage needs at least 2")
    if not (args.data / "annotations.jsonl").is_file():
        parser.error(f"{args.data}: no finished dataset; make one with tools/cad.py generate")
    return args


def main(argv: list[str] | None = None) -> None:
    """Run all seeds and write report.md and results.json."""
    args = parse_args(argv)
    from procrop.apis.mechanism.study import run_studies, write_report
    from procrop.apis.mechanism.weak_labels import WeakLabelStudy, report

    results = run_studies([WeakLabelStudy(args, seed) for seed in args.seeds], args.jobs)
    write_report(args.out, results, report(results))


if __name__ == "__main__":
    main()
