#!/usr/bin/env python
"""Is a gain due to retrieval? The same model on the same photos with other references.

    python tools/audit_retrieval.py CHECKPOINT              # with the config inside the checkpoint
    python tools/audit_retrieval.py CONFIG CHECKPOINT       # with another one, e.g. another test set
    python tools/audit_retrieval.py CHECKPOINT --also BLIND.pth   # and a model trained without references

Every photo is cropped with its retrieved references, with another photo's, with random ones from the gallery, and with
none. The differences to retrieved references come with paired bootstrap intervals, and with a verdict by the rules of
docs/evaluation.md. The folder --out keeps the report (report.md, report.json, differences.png), the predictions of each
condition and the neighbour tables; the same command continues an audit that was interrupted.
Exit codes: 0 done, 2 not usable as asked, 130 interrupted.
"""

import argparse
import os
import sys
from pathlib import Path


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="audit_retrieval.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [CONFIG] CHECKPOINT [options]",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="[CONFIG] CHECKPOINT", help="config file (optional), checkpoint"
    )
    parser.add_argument("--out", help="folder to write to (default: <work folder>/retrieval_audit)")
    parser.add_argument("--also", metavar="CHECKPOINT", help="a model trained without references")
    parser.add_argument(
        "--metrics",
        nargs="+",
        default=[],
        metavar="KEY",
        help="figures of the config's evaluator, e.g. crop_best/iou@1; the first one decides",
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the shuffles and draws that are averaged"
    )
    parser.add_argument("--split", choices=["test", "val"], default="test", help="dataset of the config")
    parser.add_argument("--limit", type=int, metavar="N", help="take N photos, evenly spread")
    parser.add_argument(
        "--true-similarity",
        action="store_true",
        help="give other references their true similarity to the photo (encodes the photos); by default they keep "
        "the retrieved ones' and only the pictures change",
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override the config"
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Read the config, audit, print the report."""
    from procrop.engine import launch
    from procrop.engine.transfer import is_test_part, with_test_part

    *config, checkpoint = args.paths
    if len(config) > 1:
        raise launch.UsageError(f"one or two paths are needed, got {len(args.paths)}")
    for path in [checkpoint] + [args.also] * bool(args.also):
        if not Path(path).is_file():
            raise launch.UsageError(f"{path}: no such checkpoint file")
    if config:
        cfg = launch.read_config(config[0], None)
        if is_test_part(cfg):
            cfg = with_test_part(launch.config_in_checkpoint(checkpoint, None), cfg)
    else:
        cfg = launch.config_in_checkpoint(checkpoint, None)
    launch.check_device(args.device)
    launch.check_folders(cfg, args.cfg_options, (args.split,))
    launch.finish_config(cfg, args.cfg_options)
    out = args.out or os.path.join(cfg.work_dir, "retrieval_audit")
    launch.check_outputs(out)
    launch.check_data(cfg, (args.split,))

    import torch

    from procrop.apis.retrieval_audit import AuditSettings, audit_retrieval

    device = args.device if args.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    options = ("split", "also", "metrics", "seeds", "limit", "true_similarity")
    settings = AuditSettings(out, device=device, **{name: getattr(args, name) for name in options})
    print(audit_retrieval(cfg, checkpoint, settings))
    print(f"\n{out}: report.md, report.json, differences.png")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    args = parser.parse_args(argv)
    if args.device == "cpu":  # before mmengine is imported: it looks for GPUs then
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return run_guarded(parser, args)


if __name__ == "__main__":
    sys.exit(main())
