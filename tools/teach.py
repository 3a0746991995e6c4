#!/usr/bin/env python
"""Cut windows out of good photos and let a teacher say where to crop them: a dataset to train on without annotations.

    python tools/teach.py PHOTOS OUT [--windows 8] [--seed 0] [--workers 1]
    python tools/teach.py PHOTOS OUT --teacher sides=[320,384] mirrored=True

PHOTOS holds photos and a file manifest.jsonl with their authors; OUT gets annotations.jsonl and images, the layout of
CropJsonlDataset. A fifth of the authors is held out as the split "val". A run that was interrupted goes on where it
was; one that is up to date changes nothing. docs/lite_training.md says more.
Exit codes: 0 done, 1 done but something was left out (it is listed), 2 not usable as asked.
"""

import argparse
import sys

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="teach.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("photos", metavar="PHOTOS", help="folder of photos")
    add("out", metavar="OUT", help="folder of the dataset")
    add("--windows", type=int, default=8, metavar="N", help="windows a photo (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the windows (default: %(default)s)")
    add("--long-side", type=int, default=512, metavar="PIXELS", help="of the images (default: %(default)s)")
    add("--quality", type=int, default=92, help="of the JPEG files (default: %(default)s)")
    add(
        "--least-subject",
        type=float,
        default=0.35,
        metavar="SHARE",
        help="share of the subject map that a window holds at least (default: %(default)s)",
    )
    add(
        "--teacher",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="arguments of EvidenceTeacher, e.g. merit.price=0.2, or of the teacher that type=... names",
    )
    add(
        "--credits",
        default="manifest.jsonl",
        metavar="NAME",
        help='file in PHOTOS with authors and licences; "none" gives each photo an author of its own '
        "(default: %(default)s)",
    )
    add("--workers", type=int, default=1, metavar="N", help="processes (default: %(default)s)")
    add("--threads", type=int, default=1, metavar="N", help="threads in each (default: %(default)s)")
    add("--limit", type=int, metavar="N", help="take the first N photos only")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Make the dataset.

    Raises:
        ValueError: The photos, the folder or an argument cannot be used.
        OSError: The disk is full.
    """
    from pathlib import Path

    if not Path(args.photos).is_dir():
        raise ValueError(
            f"{args.photos}: no such folder; docs/lite_training.md says which photos it should hold and where they "
            "come from"
        )
    from procrop.generation.windows import WindowSettings, teach

    settings = WindowSettings(
        windows=args.windows,
        seed=args.seed,
        long_side=args.long_side,
        quality=args.quality,
        least_subject=args.least_subject,
        teacher=teacher_config(args.teacher),
    )
    credits = None if args.credits == "none" else args.credits
    done = teach(
        settings,
        Path(args.photos),
        Path(args.out),
        credits=credits,
        workers=args.workers,
        threads=args.threads,
        limit=args.limit,
    )
    splits = ", ".join(f"{done.views[s]:,} {s} from {done.photos[s]:,} photos" for s in sorted(done.views))
    print(f"{args.out}: {sum(done.views.values()):,} images ({splits}); {done.made:,} were made now")
    for name, reason in done.left_out[:_SHOWN]:
        print(f"  left out: {name}: {reason}", file=sys.stderr)
    if len(done.left_out) > _SHOWN:
        print(f"  and {len(done.left_out) - _SHOWN} more", file=sys.stderr)
    return 1 if done.left_out else 0


def teacher_config(options: list[str]) -> dict:
    """The teacher as a config; dots in a key lead into dicts, e.g. merit.price=0.2.

    Raises:
        ValueError: An option is not KEY=VALUE.
    """
    from mmengine.config import Config, DictAction

    cfg = Config(dict(teacher=dict(type="EvidenceTeacher")))
    for option in options:
        key, equals, _ = option.partition("=")
        if not (key and equals):
            raise ValueError(f"--teacher {option}: give KEY=VALUE, e.g. sides=[320,384]")
        one = argparse.ArgumentParser(add_help=False)
        one.add_argument("--teacher", nargs="+", action=DictAction)
        values = one.parse_args(["--teacher", option]).teacher
        cfg.merge_from_dict({f"teacher.{name}": value for name, value in values.items()})
    return cfg.teacher.to_dict()


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
