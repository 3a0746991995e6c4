"""Draw a toy data set: procedural photos in GAICD v2 layout, crops scored by a stated rule, and a gallery.

Exit codes: 0 done, 1 the disk refused, 2 not usable as asked.
"""

import argparse
import os
import sys
from typing import NoReturn


def _size(text: str) -> tuple[int, int]:
    width, height = (int(part) for part in text.lower().split("x"))
    return width, height


def _splits(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "out", help="folder to make; a data set begun there with the same arguments is finished"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides every picture and score (default 0)")
    parser.add_argument(
        "--size", type=_size, default=(384, 288), help="photo size, WIDTHxHEIGHT (default 384x288)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="painting processes (default: two per CPU core, at most 8: half the time goes to the disk)",
    )
    parser.add_argument(
        "--replace", action="store_true", help="remove a toy data set of other arguments that is in OUT"
    )
    counts = parser.add_argument_group("plain mode and two-subjects mode")
    counts.add_argument("--images", type=int, help="number of annotated photos (default 200)")
    counts.add_argument("--splits", type=_splits, help="shares of train,val,test (default 0.7,0.1,0.2)")
    plain = parser.add_argument_group("plain mode")
    plain.add_argument("--gallery", type=int, help="number of gallery photos (default 300)")
    styled = parser.add_argument_group("hidden-style mode: only the gallery tells which third a photo wants")
    styled.add_argument("--hidden-style", action="store_true", help="switch this mode on")
    styled.add_argument("--families", type=int, help="scene families of the training photos (default 200)")
    styled.add_argument("--val-families", type=int, help="families of the validation photos (default 10)")
    styled.add_argument("--test-families", type=int, help="families of the test photos (default 50)")
    styled.add_argument("--photos-per-family", type=int, help="photos to be cropped per family (default 2)")
    styled.add_argument("--gallery-per-family", type=int, help="gallery photos per family (default 12)")
    paired = parser.add_argument_group("two-subjects mode: only the caption tells which subject to keep")
    paired.add_argument("--two-subjects", action="store_true", help="switch this mode on")
    args = parser.parse_args(argv)
    if args.hidden_style and args.two_subjects:
        parser.error("--hidden-style and --two-subjects are modes of their own: choose one of them")
    if args.hidden_style:
        _refuse(parser, args, [counts, plain], "only without --hidden-style")
    else:
        _refuse(parser, args, [styled], "only with --hidden-style")
    if args.two_subjects:
        _refuse(parser, args, [plain], "only without --two-subjects")
    return args


def _refuse(
    parser: argparse.ArgumentParser,
    args: argparse.Namespace,
    groups: list[argparse._ArgumentGroup],
    goes: str,
) -> None:
    """Stop at an argument of another mode; switches of modes are none."""
    for action in (action for group in groups for action in group._group_actions):
        if getattr(args, action.dest) is not None and action.const is not True:
            parser.error(f"--{action.dest.replace('_', '-')} goes {goes}")


def _stop(error: Exception, code: int) -> NoReturn:
    """Say what is wrong and exit."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(code)


def main(argv: list[str] | None = None) -> None:
    """Make the data set that the command line asks for."""
    args = vars(parse_args(argv))
    out, replace = args.pop("out"), args.pop("replace")
    workers = args.pop("workers") or min(8, 2 * (os.cpu_count() or 1))
    from procrop.datasets.toy.settings import ToyDatasetError, ToySettings
    from procrop.datasets.toy.writer import write_toy_dataset

    try:
        settings = ToySettings(**{name: value for name, value in args.items() if value is not None})
        jobs = settings.jobs()
        if all(job.split == "gallery" for job in jobs):
            what = "families and photos per family" if settings.hidden_style else "--images"
            raise ToyDatasetError(f"a data set needs a photo that is no gallery photo: raise {what}")
        painted = write_toy_dataset(out, settings, workers, replace)
    except ToyDatasetError as error:
        _stop(error, 2)
    except OSError as error:
        _stop(error, 1)
    total = len(jobs)
    print(f"{out}: {total} photos ({painted} painted now, {total - painted} were there)")


if __name__ == "__main__":
    main()
