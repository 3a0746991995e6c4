#!/usr/bin/env python
"""Measure a checkpoint on the test set of its config.

    python tools/test.py CHECKPOINT                 # with the config inside the checkpoint
    python tools/test.py CONFIG CHECKPOINT          # with another one
    python tools/test.py configs/transfer/test_on_flms.py CHECKPOINT   # other test data, all else as trained

--dump writes one JSON line per photo: {"img_id", "size": [width, height], "boxes": [[x1, y1, x2, y2], ...], "scores"},
boxes in pixels of the upright original photo, best first; tools/evaluate.py reads it. The figures also go to
<work dir>/test_metrics.json, and in the form of the paper's tables to test_metrics.md.
What counts, strongest first: named options, then --cfg-options, then the config. Exit codes as for tools/train.py.
"""

import argparse
import os
import sys
from pathlib import Path


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [CONFIG] CHECKPOINT [options]",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="[CONFIG] CHECKPOINT", help="config file (optional), checkpoint"
    )
    parser.add_argument("--dump", metavar="FILE.jsonl", help="write the predictions there")
    parser.add_argument("--work-dir", help="where logs and figures go (default: work_dirs/<config name>)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_test.sh"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="e.g. load_strict=False"
    )
    args = parser.parse_args(argv)
    if len(args.paths) > 2:
        parser.error(f"one or two paths are needed, got {len(args.paths)}")
    if args.paths[-1].endswith(".py"):
        parser.error(f"{args.paths[-1]} is a config, and a checkpoint is needed behind it: CONFIG CHECKPOINT")
    *config, args.checkpoint = args.paths
    args.config = config[0] if config else None
    return args


def test(args: argparse.Namespace) -> None:
    """Build the model and the test set, evaluate, write the figures."""
    from procrop.engine import launch

    if not Path(args.checkpoint).is_file():
        raise launch.UsageError(f"{args.checkpoint}: no such checkpoint file")
    cfg = config_to_test(args)
    launch.check_device(args.device)
    launch.check_folders(cfg, args.cfg_options, ("test",))
    launch.finish_config(cfg, args.cfg_options)
    cfg.work_dir = args.work_dir or cfg.work_dir
    cfg.launcher, cfg.load_from, cfg.resume = args.launcher, args.checkpoint, False
    if cfg.get("test_dataloader") is None:
        raise launch.UsageError("the config has no test_dataloader: nothing to test on")
    figures = Path(cfg.work_dir, "test_metrics.json")
    table = figures.with_suffix(".md")
    launch.check_outputs(cfg.work_dir, [args.dump, figures, table])
    launch.check_data(cfg, ("test",))

    from mmengine.dist import is_main_process  # after the checks, which take less time than these imports

    from procrop.engine.prediction_dump import PredictionDump
    from procrop.engine.runner import CropRunner
    from procrop.io.atomic import write_json, write_text

    runner = CropRunner.from_cfg(cfg)
    if args.dump:
        runner.test_evaluator.metrics.append(PredictionDump(args.dump))
    metrics = runner.test()
    if is_main_process():
        numbers = plain_numbers(metrics)
        write_json(figures, numbers)
        write_text(table, table_rows(numbers, Path(cfg.work_dir).name, str(cfg.test_dataloader.dataset.type)))
        print("\n".join(f"{key:<40} {value}" for key, value in metrics.items()))


def config_to_test(args: argparse.Namespace):  # noqa: ANN201 (an mmengine Config, imported later)
    """The config file, or the checkpoint's, or, for a file that names test data alone, both in one."""
    from procrop.engine import launch
    from procrop.engine.transfer import is_test_part, with_test_part

    if not args.config:
        return launch.config_in_checkpoint(args.checkpoint, args.work_dir)
    cfg = launch.read_config(args.config, args.work_dir)
    if not is_test_part(cfg):
        return cfg
    try:
        return with_test_part(launch.config_in_checkpoint(args.checkpoint, None), cfg)
    except ValueError as error:
        raise launch.UsageError(str(error)) from error


def table_rows(figures: dict, name: str, dataset: str) -> str:
    """The figures as a row of the paper's table that suits the dataset's class, with the floors below."""
    from procrop.evaluation.paper_table import form_of, paper_table

    form = form_of(dataset, figures)
    return f"{form.title}\n\n{paper_table(form, {name: figures}, figures)}"


def plain_numbers(metrics: dict) -> dict:
    """Figures as JSON numbers; what is not finite becomes null."""
    import math

    plain = {}
    for key, value in metrics.items():
        value = value.item() if hasattr(value, "item") else value
        plain[key] = None if isinstance(value, float) and not math.isfinite(value) else value
    return plain


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse_args(argv)
    if args.device == "cpu":  # before mmengine is imported: it looks for GPUs then
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        from procrop.engine.launch import guarded
    except KeyboardInterrupt:
        return 130
    return guarded(lambda: test(args), lambda: "Run the same command again.")


if __name__ == "__main__":
    sys.exit(main())
