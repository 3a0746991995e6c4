#!/usr/bin/env python
"""Does retrieval do what it is for? Hidden-style photos, whose best crop only the references tell.

    python tools/mechanism.py [--out work_dirs/mechanism] [--seeds 0 1 2] [--families 200] [--jobs 2] [--model NAME]

For each seed: draws the photos, builds the gallery and the neighbour table, trains three models (without references,
with random ones, with retrieved ones) through tools/train.py, and tests them on unseen families with several
reference tables. All figures are the IoU of the top-1 crop with the best crop. What is finished is not done again.
"""

import argparse
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/mechanism"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--families", type=int, default=200, help="training families (default 200)")
    parser.add_argument("--test-families", type=int, default=50, help="unseen families (default 50)")
    parser.add_argument(
        "--jobs", type=int, default=2, help="seeds at work at once, one thread each (default 2)"
    )
    parser.add_argument(
        "--model",
        choices=["hidden_style", "gaic_hidden_style"],
        default="hidden_style",
        help="configs/mechanism/<model>.py and its blind twin: the DETR head (default), or the anchor-based head",
    )
    parser.add_argument("--epochs", type=int, help="shorter or longer training than the config's")
    return parser.parse_args()


def main() -> None:
    """Run all seeds and write report.md and results.json."""
    args = parse_args()
    from procrop.apis.mechanism.references import ReferenceStudy, report
    from procrop.apis.mechanism.study import run_studies, write_report

    results = run_studies([ReferenceStudy(args, seed) for seed in args.seeds], args.jobs)
    write_report(args.out, results, report(results))


if __name__ == "__main__":
    main()
