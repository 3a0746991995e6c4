#!/usr/bin/env python
"""Train and test a folder of configs, and put their figures into one table.

    python tools/ablate.py FOLDER|CONFIG [...] --out DIR [--seeds 0 1 2] [--jobs N] [--cfg-options key=value ...]

Each config is trained with each seed by tools/train.py and tested by tools/test.py, in a folder of its own below --out.
What is finished is not done again, and an interrupted training goes on from its checkpoint. DIR/report.md, table.csv,
results.json and plot_*.png hold the figures, with the differences of each config to the first one (--reference) and
bootstrap intervals over the photos. See docs/ablations.md.

Exit codes: 0 done, 1 some runs failed (the others are in the table), 2 not usable as asked, 130 interrupted.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="ablate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("configs", nargs="+", metavar="FOLDER|CONFIG", help="e.g. configs/ablations/retrieval_count")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of all results")
    add("--seeds", type=int, nargs="+", default=[0], metavar="N", help="a training each (default: 0)")
    add("--jobs", type=int, default=1, metavar="N", help="runs at once, which share the cores (default: 1)")
    add("--test-on", nargs="+", default=[], metavar="CONFIG", help="further test sets, e.g. configs/transfer")
    add("--checkpoint", choices=["last", "best"], default="last", help="what is tested (default: last)")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="overrides for all configs")
    add("--only-report", action="store_true", help="train and test nothing; report what is finished")
    add("--metrics", nargs="+", metavar="KEY", help="columns of the table, e.g. crop_best/iou@1 'acc/*'")
    add("--reference", metavar="NAME", help="config that the others are compared with (default: the first)")
    add(
        "--x",
        metavar="KEY",
        help="number of the plot's axis, e.g. references.k (default: the one that differs)",
    )
    add("--resamples", type=int, default=10_000, metavar="N", help="draws of the bootstrap (default: 10000)")
    add("--level", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, test, report."""
    if args.device == "cpu":  # before mmengine is imported: it looks for GPUs then
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    check(args)
    from procrop.apis.ablation_axis import axis_of
    from procrop.apis.ablation_schedule import execute, make_runs, without_results

    plan = make_plan(args)
    axis = axis_of(plan.variants, args.x)
    runs = make_runs(plan, args.jobs)
    failed = {} if args.only_report else execute(runs, args.jobs)
    for name, reason in failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if failed and not any(r.tested(test) for r in runs for test in plan.tests):
        return 1
    # only a report passes over results of other settings: to train, all must be of these
    shown = [r for r in runs if not r.changed]
    if not shown:
        runs[0].check()
    report(args, shown, axis, without_results(runs, failed))
    return 1 if failed else 0


def check(args: argparse.Namespace) -> None:
    """Refuse numbers that make no sense."""
    if min(args.jobs, len(args.seeds)) < 1 or args.resamples < 0 or not 0 < args.level < 1:
        raise ValueError("--jobs must be 1 or more, --resamples 0 or more, and --level between 0 and 1")
    if len(set(args.seeds)) < len(args.seeds) or min(args.seeds) < 0:
        raise ValueError("--seeds must be different numbers of 0 or more")


def make_plan(args: argparse.Namespace) -> Any:  # noqa: ANN401 (imported later)
    """The configs, read and checked, before anything is trained."""
    from procrop.apis.ablation_plan import Plan, TestSet, find_configs, read_test_sets, read_variants

    variants = read_variants(find_configs(args.configs), args.cfg_options)
    names = [variant.name for variant in variants]
    if args.reference is not None and args.reference not in names:
        raise ValueError(f"--reference {args.reference}: no such config; there are: {', '.join(names)}")
    tests = (TestSet(), *read_test_sets(args.test_on)) if args.test_on else (TestSet(),)
    return Plan(args.out, variants, args.seeds, tests, args.cfg_options, args.checkpoint, args.device)


def report(args: argparse.Namespace, runs: list, axis: tuple | None, open_runs: dict[str, str]) -> None:
    """Write and print the table, and write the plots."""
    from procrop.apis.ablation_plot import plot
    from procrop.apis.ablation_report import choose_metrics, write_report
    from procrop.apis.ablation_results import compare

    name, values = axis or ("", [])
    numbers = dict(zip([variant.name for variant in runs[0].plan.variants], values, strict=False))
    groups = compare(runs, args.reference, args.resamples, args.level)
    metrics = choose_metrics(groups, args.metrics)
    draws = f"{args.level:.0%} intervals from {args.resamples:,} paired draws of the photos"
    print(write_report(args.out, groups, runs, metrics, numbers, open_runs, draws))
    files = plot(groups, metrics, numbers, name, args.out)
    print(
        "\n".join(
            map(str, [args.out / "report.md", args.out / "table.csv", args.out / "results.json", *files])
        )
    )


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
