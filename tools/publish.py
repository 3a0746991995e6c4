#!/usr/bin/env python
"""Make the folder that a trained model is published as: weights in half precision, gallery, thumbnails, credits.

    python tools/publish.py CHECKPOINT.pth --gallery data/lite/gallery --name procrop-lite \\
        --out procrop/model_zoo/weights/procrop-lite --photos data/lite/photos \\
        --metafile procrop/model_zoo/metafile.yml

Equal input gives equal bytes. A README.md that is there already, the model card, is kept. Afterwards:
`python tools/model_zoo.py page` makes the tables of docs/model_zoo.md.
"""

import argparse
import sys
from pathlib import Path


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="publish.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the .pth file of a training")
    parser.add_argument(
        "--gallery", required=True, metavar="DIR", help="a gallery that the model can read, with tokens"
    )
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder")
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="folder of the gallery's photos, with manifest.jsonl that says whose they are (default: as the gallery "
        "notes it)",
    )
    entry = parser.add_argument_group("the entry in a metafile")
    entry.add_argument(
        "--metafile",
        type=Path,
        metavar="FILE",
        help="set the entry in this file (default: print nothing of it)",
    )
    entry.add_argument("--collection", default="ProCrop", help="(default: %(default)s)")
    entry.add_argument("--config", default="configs/procrop_lite.py", help="(default: %(default)s)")
    entry.add_argument("--licence", default="Apache-2.0", help="of the weights (default: %(default)s)")
    entry.add_argument(
        "--training-data",
        nargs="+",
        default=["windows of freely licensed photos"],
        metavar="NAME",
        help="(default: %(default)s)",
    )
    entry.add_argument(
        "--source", default="freely licensed wallpapers", help="of the photos (default: %(default)s)"
    )
    parser.set_defaults(run=publish)
    return parser


def publish(args: argparse.Namespace) -> int:
    """Publish, and say what came of it."""
    from procrop.apis.publishing import EntryWords, publish_model, with_entry
    from procrop.io.atomic import write_text

    published = publish_model(args.checkpoint, args.gallery, args.name, args.out, args.photos)
    for what, size in published.sizes.items():
        print(f"{what:<16} {size / 1e6:.2f} MB")
    gap = published.difference
    print(f"{published.parameters:,} parameters, {published.photos} photos ({published.licences})")
    print(
        f"half precision moves boxes by at most {gap['boxes']:.2g} of a side, and scores by at most {gap['scores']:.2g}"
    )
    if args.metafile is not None:
        words = EntryWords(
            args.name, args.collection, args.config, args.licence, tuple(args.training_data), args.source
        )
        text = args.metafile.read_text(encoding="utf-8")
        write_text(args.metafile, with_entry(text, words, published))
        print(f"{args.metafile}: has the entry of {args.name}; now run: python tools/model_zoo.py page")
    print(published.folder)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
