#!/usr/bin/env python
"""Train a model from a config.

    python tools/train.py CONFIG [--work-dir DIR] [--resume [PATH]] [--cfg-options key=value ...]

What counts, strongest first: named options (--work-dir, --seed, ...), then --cfg-options, then the config file, then
defaults. Every key is checked before anything is built, and the data before the model. On Ctrl-C the tool says how to
resume; exit codes: 0 done, 1 failed, 2 not usable as asked, 130 interrupted.
"""

import argparse
import os
import shlex
import sys


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config file, e.g. configs/procrop_toy.py")
    parser.add_argument("--work-dir", help="where logs and checkpoints go (default: work_dirs/<config name>)")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH",
        help="continue: from the newest readable checkpoint of the work folder, or from PATH",
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision (needs CUDA)")
    parser.add_argument("--seed", type=int, help="seed of every random draw (default: the config's)")
    parser.add_argument("--deterministic", action="store_true", help="deterministic GPU algorithms (slower)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--launcher", choices=["none", "pytorch"], default="none", help="set by tools/dist_train.sh"
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="e.g. train_cfg.max_epochs=2 model.bbox_head.num_queries=48",
    )
    return parser.parse_args(argv)


def train(args: argparse.Namespace) -> None:
    """Build everything, cheapest and likeliest to fail first, and train."""
    from procrop.engine import launch

    cfg = launch.read_config(args.config, args.work_dir)
    launch.check_device(args.device, args.amp)
    launch.check_folders(cfg, args.cfg_options, ("train", "val"))
    apply_options(cfg, args)
    launch.check_outputs(cfg.work_dir)
    launch.check_data(cfg, ("train", "val"))

    with launch.sole_training(cfg.work_dir):
        from procrop.engine.runner import (
            CropRunner,
        )  # after the checks, which take less time than this import

        CropRunner.from_cfg(cfg).train()


def apply_options(cfg, args: argparse.Namespace) -> None:  # noqa: ANN001 (an mmengine Config, imported later)
    """Put the command line into the config: --cfg-options first, named options over them."""
    from procrop.engine import launch

    # --amp goes the same way, since it decides which other keys of the wrapper are right
    launch.finish_config(cfg, args.cfg_options + ["optim_wrapper.type=AmpOptimWrapper"] * args.amp)
    if args.work_dir:
        cfg.work_dir = args.work_dir
    cfg.launcher = args.launcher
    if args.resume:
        cfg.resume = args.resume
    randomness = cfg.setdefault("randomness", dict(seed=0))
    if args.seed is not None:
        randomness["seed"] = args.seed
    if args.deterministic:
        randomness["deterministic"] = True


def resume_hint(args: argparse.Namespace) -> str:
    """The command that continues this run."""
    tool = ["python", "tools/train.py"]
    if args.launcher == "pytorch":
        tool = ["tools/dist_train.sh", args.config, os.environ.get("WORLD_SIZE", "1")]
    words = tool + [args.config] * (args.launcher == "none") + ["--resume"]
    if args.work_dir:
        words += ["--work-dir", args.work_dir]
    for flag in ("amp", "deterministic"):
        words += [f"--{flag}"] * getattr(args, flag)
    if args.seed is not None:
        words += ["--seed", str(args.seed)]
    if args.device != "auto":
        words += ["--device", args.device]
    if args.cfg_options:
        words += ["--cfg-options", *args.cfg_options]
    return f"Continue with: {shlex.join(words)}"


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse_args(argv)
    if args.device == "cpu":  # before mmengine is imported: it looks for GPUs then
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        from procrop.engine.launch import guarded
    except KeyboardInterrupt:
        return 130
    return guarded(lambda: train(args), lambda: resume_hint(args))


if __name__ == "__main__":
    sys.exit(main())
