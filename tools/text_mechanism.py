#!/usr/bin/env python
"""Does the text do what it is for? Photos of two subjects, of which only the caption tells the one to keep.

    python tools/text_mechanism.py [--out work_dirs/text_mechanism] [--seeds 0 1 2] [--images 800] [--jobs 1] [--twin]

For each seed: draws the photos, makes the tokens of the right captions and of captions that name the other subject,
trains a model through tools/train.py, and tests it on unseen photos: with the right captions, with the swapped ones,
and with none. The blind ceiling is the most that can be reached without captions. All figures are the IoU of the top-1
crop with the best crop of the right subject; sheet_seed*.png shows some of the crops. What is finished is not redone.
"""

import argparse
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line of this tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("work_dirs/text_mechanism"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=800, help="training photos (default 800)")
    parser.add_argument("--test-images", type=int, default=120, help="unseen photos (default 120)")
    parser.add_argument(
        "--jobs", type=int, default=1, help="seeds at work at once, one thread each (default 1)"
    )
    parser.add_argument(
        "--twin",
        action="store_true",
        help="also train the model without text; no such model can pass the blind ceiling, and it takes as long again",
    )
    parser.add_argument("--epochs", type=int, help="shorter or longer training than the config's")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run all seeds and write report.md, results.json and a sheet per seed."""
    args = parse_args(argv)
    from procrop.apis.mechanism.captions import CaptionStudy, report
    from procrop.apis.mechanism.study import run_studies, write_report

    studies = [CaptionStudy(args, seed) for seed in args.seeds]
    results = run_studies(studies, args.jobs)
    for study in studies:
        study.draw_sheet(args.out / f"sheet_seed{study.seed}.png")
    write_report(args.out, results, report(results))


if __name__ == "__main__":
    main()
