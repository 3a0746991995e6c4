#!/usr/bin/env python
"""Is the subject kept whole when a crop of a ratio is asked for? A trained model beside smartcrop and fixed crops.

    python tools/subject_kept.py --photos photos=data/lite/photos bsds500=data/bsds500 [--checkpoint NAME|FILE]
    python tools/subject_kept.py --datasets skimage --json kept.json --sheet cut.png

The photos and boxes of their subjects are in --subjects; nobody is told the boxes but the oracle. docs/evaluation.md
says what counts. Exit codes: 0 done, 1 some photos were rejected (they count as cut), 2 not usable as asked.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procrop.apis.subject_test.ratio_croppers import RatioCropper

SUBJECTS = Path(__file__).resolve().parent / "known_subjects.jsonl"
PLAIN = ("smartcrop", "smartcrop_largest", "centre", "oracle")
_SHOWN = 10


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="subject_kept.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--photos",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="where the photos of a dataset lie; those of datasets that are not named are left out "
        "(scikit-image's own are found)",
    )
    add("--subjects", default=str(SUBJECTS), metavar="FILE", help="known subjects (default: those of tools/)")
    add("--datasets", nargs="+", metavar="NAME", help="only these of the known subjects")
    add(
        "--checkpoint",
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]CHECKPOINT",
        help="trained models: files, or names of procrop models list (default: the one that procrop crop takes)",
    )
    add("--gallery", metavar="DIR", help="of all models with references (default: each model's own)")
    add("--no-model", action="store_true", help="only smartcrop and the fixed crops")
    add("--device", help="of the models (default: a GPU if there is one)")
    add("--ratios", nargs="+", default=["1:1", "4:5", "16:9"], metavar="W:H", help="default: 1:1 4:5 16:9")
    add("--resamples", type=int, default=10_000, metavar="N", help="draws of the bootstrap (%(default)s)")
    add("--seed", type=int, default=0, help="of the draws (default: %(default)s)")
    add("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add("--json", metavar="FILE", help="write all figures and crops there")
    add("--sheet", metavar="FILE", help="draw the subjects that were cut: .png or .jpg")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask, measure, print, write."""
    from procrop.apis.subject_test import ask
    from procrop.evaluation.comparison import Draws
    from procrop.evaluation.kept_table import kept_json, kept_text
    from procrop.evaluation.known_subjects import PARTS, read_known_subjects
    from procrop.evaluation.subject_kept import measure_kept
    from procrop.inference.selection import AspectRatio
    from procrop.io.atomic import write_json

    check_options(args)
    fractions = {text: AspectRatio.parse(text).value for text in dict.fromkeys(args.ratios)}
    ratios = {text: float(value) for text, value in fractions.items()}
    subjects = read_known_subjects(args.subjects, args.datasets)
    datasets = list(dict.fromkeys(known.dataset for known in subjects))
    folders = ask.photo_folders(args.photos, datasets)
    croppers = make_croppers(args)
    answers = ask.ask_croppers(subjects, folders, croppers, fractions)
    first, draws = next(iter(croppers)), Draws(args.resamples, args.seed, args.level)
    figures = [f for part in PARTS for f in measure_kept(answers.subjects, answers.crops, ratios, part)]
    print(", ".join(count_text(name, subjects, folders) for name in datasets) + "\n")
    print(kept_text(figures, first, draws))
    if args.json:
        photos = photo_json(answers)
        write_json(
            args.json, {"version": 1, "first": first, "figures": kept_json(figures, first, draws)} | photos
        )
    if args.sheet:
        from procrop.apis.subject_test.cut_sheet import draw_cut_subjects

        print(
            "\n"
            + (", ".join(map(str, draw_cut_subjects(args.sheet, answers, ratios))) or "no subject was cut")
        )
    for place, reason in answers.problems.entries[:_SHOWN]:
        print(f"{place}: {reason}".encode("utf-8", "backslashreplace").decode(), file=sys.stderr)
    if len(answers.problems) > _SHOWN:
        print(f"... {len(answers.problems)} in all", file=sys.stderr)
    return 1 if len(answers.problems) else 0


def check_options(args: argparse.Namespace) -> None:
    """Raise a ValueError for places that cannot be written to and for options that contradict each other."""
    for place in (args.json, args.sheet):
        if place is not None and Path(place).is_dir():
            raise ValueError(f"{place}: is a folder, and a file is to be written there; name a file")
    if args.sheet and Path(args.sheet).suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ValueError(f"--sheet {args.sheet}: must end in .png or .jpg")
    if args.no_model and args.checkpoint:
        raise ValueError("--no-model and --checkpoint contradict each other; leave one out")
    if args.resamples < 1 or not 0 < args.level < 1:
        raise ValueError("--resamples must be at least 1, and --level between 0 and 1")


def make_croppers(args: argparse.Namespace) -> "dict[str, RatioCropper]":
    """By name: models first.

    Raises:
        ValueError: A model cannot be found, or two are called the same.
    """
    from procrop.apis.subject_test import ratio_croppers

    croppers = {}
    for text in () if args.no_model else args.checkpoint or [None]:
        name, place = ("procrop", None) if text is None else named(text)
        if name in croppers or name in PLAIN:
            raise ValueError(f"two croppers are called {name!r}; name one of them: other={place}")
        croppers[name] = ratio_croppers.model_crops(place, args.gallery, args.device)
    plain = (
        ratio_croppers.smartcrop_crops,
        ratio_croppers.largest_smartcrop_crops,
        ratio_croppers.centre_crops,
        ratio_croppers.oracle_crops,
    )
    return croppers | dict(zip(PLAIN, plain, strict=True))


def named(text: str) -> tuple[str, str]:
    """Name and place of ``[NAME=]CHECKPOINT``; without a name that of the file."""
    name, equals, place = text.partition("=")
    named = equals and name and place and not Path(text).exists()
    return (name, place) if named else (Path(text).stem, text)


def count_text(dataset: str, subjects: list, folders: dict) -> str:
    """How many photos of a dataset there are, and whether they were left out."""
    count = sum(known.dataset == dataset for known in subjects)
    left_out = "" if dataset in folders else f" left out (--photos {dataset}=FOLDER)"
    return f"{dataset}: {count} photos{left_out}"


def photo_json(answers: object) -> dict:
    """Every photo with the crops of every cropper."""
    photos = []
    for number, known in enumerate(answers.subjects):
        crops = {
            name: {
                text: None if boxes[number] is None else boxes[number].tolist()
                for text, boxes in found.items()
            }
            for name, found in answers.crops.items()
        }
        photos.append({"dataset": known.dataset, "file": known.file, "crops": crops})
    return {"photos": photos}


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
