#!/usr/bin/env python
"""Measure croppers beside each other on photos with human crops: trained models, rules, packages, constant answers.

    python tools/compare_croppers.py --dataset flms:data/flms --checkpoint lite=CHECKPOINT [twin=CHECKPOINT ...] \\
        --fit-constant gaicv1:data/gaicv1:train fcdb:data/fcdb --out DIR [--json F] [--markdown F] [--sheet F]

IoU and Disp for N = 1, 2, 3, and how far the first row is ahead of each other one, with intervals of a paired
bootstrap. docs/evaluation.md says what the rows are. Each row's predictions lie in DIR as NAME.jsonl, as
tools/evaluate.py and tools/compare_models.py take them, and are used again as long as photos, models, galleries and
settings are the same. Exit codes: 0 done, 1 some photos rejected (they count as misses), 2 not usable as asked.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procrop.apis.cropper_comparison.cropper_row import CropperRow

ROWS = (
    "full_photo",
    "centre_80",
    "centre_90",
    "centre_80_area",
    "centre_90_area",
    "smartcrop",
    "rules",
    "teacher",
)


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="compare_croppers.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="FORMAT:ROOT[:SPLIT]", help="photos and human crops")
    add("--tag", help="only the photos of this subset, e.g. human")
    add("--present", action="store_true", help="leave out photos that are not on the disk")
    add(
        "--checkpoint",
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]CHECKPOINT",
        help="trained models: "
        "files, or names of procrop models list; the first comes with rows without and with random references",
    )
    add("--gallery", metavar="DIR", help="of all models with references (default: each model's own)")
    add("--no-controls", action="store_true", help="without the rows of masked and random references")
    add(
        "--rows",
        nargs="*",
        choices=(*ROWS, "centre", "random"),
        metavar="ROW",
        default=list(ROWS),
        help=f"those without training (default: all): {', '.join(ROWS)}",
    )
    add(
        "--teacher",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=JSON",
        help="""further teachers, by arguments of EvidenceTeacher, e.g. 'two={"sides": [256, 384]}', or of the one that
        "type" names""",
    )
    add(
        "--fit-constant",
        nargs="+",
        action="extend",
        default=[],
        metavar="[NAME=]FORMAT:ROOT[:SPLIT]",
        help="rows of the best constant crops of these training sets",
    )
    add("--protocol", metavar="NAME", help="crop, crop_best, ... (default: by dataset, docs/evaluation.md)")
    add(
        "--resamples",
        type=int,
        default=10_000,
        metavar="N",
        help="draws of the bootstrap (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="of draws and random references (default: %(default)s)")
    add("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add("--by-source", action="store_true", help="draw original photos with all their records")
    add(
        "--out",
        default="work_dirs/compare_croppers",
        metavar="DIR",
        help="of the predictions (default: %(default)s)",
    )
    add("--fresh", action="store_true", help="make all predictions again")
    add("--json", metavar="FILE", help="write all figures there")
    add("--markdown", metavar="FILE", help="write the tables there")
    add("--sheet", metavar="FILE", help="draw human crops, crops and references: .png, .jpg or .html")
    add(
        "--sheet-rows",
        nargs="+",
        metavar="NAME",
        help="rows on the sheet (default: first model, teacher, smartcrop)",
    )
    add("--limit", type=int, metavar="N", help="photos on the sheet (default: all)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Crop where no prediction is kept, measure, print, write."""
    from procrop.apis.cropper_comparison import compare, gains
    from procrop.apis.cropper_comparison.prediction_store import PredictionStore
    from procrop.evaluation.comparison import Draws
    from procrop.evaluation.predictions import list_problems
    from procrop.io.atomic import write_json, write_text

    check_options(args)
    dataset = compare.open_dataset(args.dataset, args.tag, args.present)
    protocol = compare.choose_protocol(dataset.photos, args.protocol)
    rows = make_rows(args)
    compare.check_names(rows)
    store = PredictionStore(args.out, dataset.listed())
    made = store.fill(rows, args.fresh)
    draws = Draws(args.resamples, args.seed, args.level, args.by_source)
    table, problems = compare.compare_rows(dataset, store, rows, protocol, draws)
    left_out = f", {dataset.left_out} not on the disk left out" if dataset.left_out else ""
    title = f"{args.dataset}{f', tag {args.tag}' if args.tag else ''}: {len(dataset.photos.records)} photos"
    print(
        f"{title}{left_out}, {protocol.prefix}; {len(rows) - len(made)} of {len(rows)} rows kept from before\n"
    )
    print(gains.table_text(table))
    if args.json:
        write_json(args.json, {"dataset": args.dataset, "tag": args.tag} | gains.table_json(table))
    if args.markdown:
        write_text(args.markdown, gains.table_markdown(table, title))
    if args.sheet:
        draw_sheet(args, dataset, store, rows)
    return list_problems(problems)


def check_options(args: argparse.Namespace) -> None:
    """Raise a ValueError for places that cannot be written to, and for nothing to compare."""
    if not (args.checkpoint or args.rows or args.teacher or args.fit_constant):
        raise ValueError("nothing to compare: name a --checkpoint, --rows, a --teacher or --fit-constant")
    for place in (args.json, args.markdown, args.sheet):
        if place is not None and Path(place).is_dir():
            raise ValueError(f"{place}: is a folder, and a file is to be written there; name a file")
    if Path(args.out).exists() and not Path(args.out).is_dir():
        raise ValueError(f"--out {args.out} is a file; name a folder")


def make_rows(args: argparse.Namespace) -> "list[CropperRow]":
    """The rows asked for: models first, then teachers, packages and fixed crops."""
    from procrop.apis.cropper_comparison import photo_rows
    from procrop.apis.cropper_comparison.checkpoint_rows import checkpoint_rows
    from procrop.apis.cropper_comparison.constant_rows import constant_rows

    rows = []
    for number, text in enumerate(args.checkpoint):
        name, place = named(text)
        controls = not (number or args.no_controls)
        rows += checkpoint_rows(name or Path(place).stem, place, args.gallery, controls, args.seed)
    for text in args.teacher:
        name, settings = named(text)
        rows.append(photo_rows.teacher_row(name or "", json_object(text, settings)))
    plain = {
        "smartcrop": photo_rows.smartcrop_row,
        "rules": photo_rows.rules_row,
        "teacher": photo_rows.teacher_row,
    }
    chosen = sorted(dict.fromkeys(args.rows), key=lambda name: name not in plain)
    rows += [plain[name]() if name in plain else photo_rows.fixed_row(name, args.seed) for name in chosen]
    for text in args.fit_constant:
        name, spec = named(text)
        rows += constant_rows(spec, name)
    return rows


def named(text: str) -> tuple[str | None, str]:
    """NAME=VALUE taken apart; None for a value without a name."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and name and value and not Path(text).exists() else (None, text)


def json_object(text: str, settings: str) -> dict:
    """The arguments of ``--teacher NAME=JSON``.

    Raises:
        ValueError: It is no object of JSON.
    """
    try:
        found = json.loads(settings)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(
            f"""--teacher {text!r}: write NAME={{"argument": value}}, e.g. 'a={{"sides": [256]}}'"""
        )
    return found


def draw_sheet(args: argparse.Namespace, dataset: object, store: object, rows: "list[CropperRow]") -> None:
    """Draw the sheet."""
    from procrop.apis.cropper_comparison.sheet import draw_rows, rows_to_draw

    chosen = rows_to_draw(rows, args.sheet_rows)
    pages = draw_rows(args.sheet, dataset, store, chosen, args.limit)
    print(", ".join(str(page) for page in pages))


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
