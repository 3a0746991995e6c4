#!/usr/bin/env python
"""Train the classifier that drops botched outpainted photos (after Hong et al. 2024).

    python tools/train_artefact_filter.py train FOLDER --out FILE.safetensors
    python tools/train_artefact_filter.py stand-ins PHOTOS --out FOLDER

FOLDER holds outpainted photos that you have sorted into good/ and bad/. Photos made from one source photo are held out
together: name them <source>_<number>, as the pipeline does, or give --source-pattern. train writes FILE, and FILE.md
with precision and recall on held-out sources and a table of thresholds. An interrupted run goes on with --resume.

stand-ins makes such a FOLDER from photos, for a demonstration: its bad photos are SYNTHETIC (pasted tiles, collages,
repeated texture, frames) and teach nothing about a real outpainter's faults.

Exit codes: 0 done, 1 done but some photos could not be read (they are listed), 2 not usable as asked.
"""

import argparse
import sys

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="train_artefact_filter.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a classifier")
    train.add_argument("folder", help="folder with the folders good and bad")
    train.add_argument("--out", required=True, metavar="FILE", help="the weights to write (.safetensors)")
    train.add_argument(
        "--arch", default="resnet50", help="resnet50, resnet18, or tiny for tests (default: %(default)s)"
    )
    train.add_argument(
        "--init", metavar="FILE", help="ImageNet weights to start from (default: random weights)"
    )
    for name, kind, default in (
        ("--epochs", int, 100),
        ("--batch-size", int, 64),
        ("--learning-rate", float, 1e-3),
        ("--label-smoothing", float, 0.1),
        ("--bad-weight", float, 10.0),
        ("--val-share", float, 0.2),
        ("--seed", int, 0),
    ):
        train.add_argument(name, type=kind, default=default, help="(default: %(default)s)")
    train.add_argument(
        "--source-pattern",
        metavar="REGEX",
        help="its first group is the source of a name without suffix (default: what comes before _<number>)",
    )
    train.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
    train.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    train.add_argument("--overwrite", action="store_true", help="replace FILE")
    train.set_defaults(run=run_train)
    stand_ins = commands.add_parser("stand-ins", help="make a folder to train on, with synthetic bad photos")
    stand_ins.add_argument("photos", help="folder of good photos")
    stand_ins.add_argument("--out", required=True, metavar="FOLDER", help="the folder to write")
    stand_ins.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    stand_ins.set_defaults(run=run_stand_ins)
    return parser


def run_train(args: argparse.Namespace) -> int:
    """Train, and write the report."""
    from tqdm import tqdm

    from procrop.generation.artefacts import ArtefactSettings, train_artefact_filter
    from procrop.generation.artefacts.labelled_photos import SOURCE_PATTERN

    settings = ArtefactSettings(
        arch=args.arch,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        label_smoothing=args.label_smoothing,
        bad_weight=args.bad_weight,
        val_share=args.val_share,
        seed=args.seed,
    )
    found = train_artefact_filter(
        args.folder,
        args.out,
        settings,
        init=args.init,
        source_pattern=SOURCE_PATTERN if args.source_pattern is None else args.source_pattern,
        device=args.device,
        resume=args.resume,
        overwrite=args.overwrite,
        say=lambda line: tqdm.write(line, file=sys.stdout),
    )
    row = found.at(0.5)
    print(
        f"{found.out}: held-out precision and recall: good {row.good_precision:.3f} {row.good_recall:.3f}, "
        f"bad {row.bad_precision:.3f} {row.bad_recall:.3f}; report: {found.out}.md"
    )
    for path, reason in found.rejected[:_SHOWN]:
        print(f"  not used {str(path)!r}: {reason}", file=sys.stderr)
    return 1 if found.rejected else 0


def run_stand_ins(args: argparse.Namespace) -> int:
    """Write good photos and synthetic bad ones."""
    from procrop.generation.artefacts import write_stand_ins

    count = write_stand_ins(args.photos, args.out, args.seed)
    print(f"{args.out}: {count} good photos and as many SYNTHETIC bad ones")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
