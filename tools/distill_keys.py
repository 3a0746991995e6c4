#!/usr/bin/env python
"""Distil a gallery's keys into a small encoder, so that it is searched without the heavy encoder that made it.

    python tools/distill_keys.py GALLERY --out FILE.safetensors [--photos DIR ...]

Learns from the gallery's own photos, whose keys are there already, and from the photos of --photos, which the gallery's
encoder encodes once. Writes FILE, and FILE.md with held-out neighbour recall and speed. FILE.cache keeps what was
computed, so that an interrupted run goes on with --resume; delete it when you are done. Then:

    python tools/gallery.py search GALLERY --query PHOTO --query-encoder FILE.safetensors
    python tools/crop.py PHOTO ... --checkpoint MODEL.pth --out DIR --query-encoder FILE.safetensors

Exit codes: 0 done, 1 done but some photos could not be used (they are listed), 2 not usable as asked.
"""

import argparse
import shlex
import sys

from procrop.apis.own_modules import add_import_option, import_own_modules

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="distill_keys.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gallery", help="folder of a finished gallery")
    parser.add_argument("--out", required=True, metavar="FILE", help="the encoder to write (.safetensors)")
    parser.add_argument("--photos", nargs="+", default=[], metavar="DIR", help="further photos to learn from")
    parser.add_argument("--photo-root", metavar="DIR", help="where the gallery's photos were moved to")
    parser.add_argument(
        "--epochs", type=int, default=60, help="0 keeps the least-squares start (default: %(default)s)"
    )
    parser.add_argument(
        "--learning-rate",
        type=float,
        default=3e-4,
        help="largest step of the training (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument(
        "--val-share",
        type=float,
        default=0.1,
        help="share of the photos held out, and of the rest watched (default: %(default)s)",
    )
    parser.add_argument(
        "--image-size", type=int, default=256, help="long side at the student's input (default: %(default)s)"
    )
    parser.add_argument(
        "--views",
        type=int,
        default=3,
        help="versions of a training photo in light and colour (default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="cpu", help="torch device of both encoders (default: %(default)s)"
    )
    parser.add_argument(
        "--speed-photos", type=int, default=8, help="photos to time both encoders on (default: %(default)s)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE")
    add_import_option(parser, "module of your own encoder")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Distil, and write the report."""
    import_own_modules(args)
    import torch
    from tqdm import tqdm

    from procrop.retrieval import DistillSettings, Gallery, distill_keys
    from procrop.retrieval.distillation.report import write_report

    settings = DistillSettings(
        epochs=args.epochs,
        seed=args.seed,
        val_share=args.val_share,
        image_size=args.image_size,
        learning_rate=args.learning_rate,
        views=args.views,
    )
    gallery = Gallery.open(args.gallery, photo_root=args.photo_root)
    found = distill_keys(
        gallery,
        args.out,
        args.photos,
        settings,
        device=args.device,
        resume=args.resume,
        overwrite=args.overwrite,
        speed_photos=args.speed_photos,
        say=lambda line: tqdm.write(line, file=sys.stdout),
    )
    report = write_report(found, args.gallery, shlex.join(["python", *sys.argv]), torch.get_num_threads())
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.recalls["student"].items())
    speed = "" if found.speed is None else f", {found.speed.ratio:.1f} times as fast as its teacher"
    print(f"{args.out}: held-out {figures}{speed}; report: {report}")
    for path, reason in found.rejected[:_SHOWN]:
        print(f"  not used {path!r}: {reason}", file=sys.stderr)
    return 1 if found.rejected else 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
