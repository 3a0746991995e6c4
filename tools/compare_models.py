#!/usr/bin/env python
"""Draw what several models crop, side by side (the form of the paper's Figure 8). Needs neither torch nor a GPU.

    python tools/compare_models.py --dataset flms:data/flms ours=a.jsonl baseline=b.jsonl --out DIR
    python tools/compare_models.py --dataset gaicv2:data/gaicv2:test ours=a.jsonl baseline=b.jsonl \\
        --sort difference --limit 24 --top 3 --out sheet.html

Predictions are as tools/evaluate.py takes them, from any cropper. A row shows the photo with its annotated crops
(green; blue: the one that is cut out below; red: the subject), then each model's crop in the photo and cut out, with
IoU and boundary displacement. --out takes a .png, .jpg or .html file, or a folder for sheet.png and figures.json.
Exit codes: 0 done, 1 some photos or lines rejected (they are listed), 2 not usable as asked.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procrop.datasets.problems import Problems
    from procrop.evaluation.predictions import Prediction

_PICTURES = (".png", ".jpg", ".jpeg", ".html", ".htm")
_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="compare_models.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("predictions", nargs="+", metavar="NAME=FILE.jsonl", help="a model's predictions")
    parser.add_argument(
        "--dataset", required=True, metavar="FORMAT:ROOT[:SPLIT]", help="photos and annotated crops"
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR|FILE", help="folder, or .png, .jpg or .html file"
    )
    parser.add_argument("--ids", nargs="+", default=[], metavar="ID", help="show these photos, in this order")
    parser.add_argument(
        "--sort",
        choices=["random", "difference", "file"],
        default="random",
        help="order of the photos; difference: where the models lie farthest apart first (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, default=12, help="photos to show (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random order")
    parser.add_argument(
        "--top", type=int, default=1, help="crops of each model, 1 to 4 (default: %(default)s)"
    )
    parser.add_argument(
        "--ground-truth",
        choices=["auto", "all", "best"],
        default="auto",
        help="annotated crops to compare with; auto: the best one where there are scores, else all",
    )
    parser.add_argument("--rows", type=int, help="photos per page (default: 12; all in an .html file)")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at an annotation that cannot be used, instead of leaving it out",
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Read, choose, draw, and list what could not be shown."""
    from procrop.apis.model_comparison import choose_photos, draw_comparison, warn_unknown
    from procrop.datasets.formats.spec import parse_spec
    from procrop.datasets.problems import Problems
    from procrop.io.atomic import write_json

    for option, low, high in (("top", 1, 4), ("limit", 1, None), ("rows", 1, None)):
        value = getattr(args, option)
        if value is None:
            continue
        if value < low or (high is not None and value > high):
            raise ValueError(f"--{option} {value}: must be {low}" + (f" to {high}" if high else " or more"))
    problems = Problems()
    models = read_models(args.predictions, problems)
    records = parse_spec(args.dataset).read(strict=args.strict)
    if records.problems:
        print(f"{args.dataset}: left out {records.problems.summary()}", file=sys.stderr)
    path, table = out_files(Path(args.out), records.photos)
    chosen = choose_photos(records, models, args.ids, args.sort, args.limit, args.seed, args.ground_truth)
    warn_unknown(records, models)
    rows = args.rows or (len(chosen) if path.suffix.lower() in (".html", ".htm") else 12)
    found = draw_comparison(records, chosen, models, path, args.top, args.ground_truth, rows)
    if table is not None:
        write_json(table, found.figures)
    keys, means = found.figures["protocol"], found.figures["models"]
    for name, mean in means.items():
        print(f"{name:<24} " + "  ".join(f"{keys[key]} {mean[key]:.4f}" for key in ("iou", "disp")))
    shown, shared = len(found.figures["photos"]), next(iter(means.values()), {"photos": 0})["photos"]
    print(f"means over {shared} of the {shown} photos shown, those that all models have")
    print(", ".join(str(path) for path in [*found.pages, *([table] if table else [])]))
    rejected = [*problems.entries, *found.rejected.items()]
    for name, reason in rejected[:_SHOWN]:
        print(f"rejected {name.encode('utf-8', 'backslashreplace').decode()}: {reason}", file=sys.stderr)
    if len(rejected) > _SHOWN:
        print(f"... and {len(rejected) - _SHOWN} more", file=sys.stderr)
    return 1 if rejected else 0


def read_models(specs: list[str], problems: "Problems") -> dict[str, "dict[str, Prediction]"]:
    """Predictions by model name; lines that cannot be used go into ``problems``.

    Raises:
        ValueError: Not NAME=FILE, a name twice, no such file, or one without a usable line.
    """
    from procrop.evaluation.predictions import read_predictions

    models = {}
    for spec in specs:
        name, _, place = spec.partition("=")
        if not name or not place:
            raise ValueError(f"{spec!r}: predictions are named NAME=FILE.jsonl, e.g. ours=crops.jsonl")
        if name in models:
            raise ValueError(f"two models are named {name!r}; give one another name: other={place}")
        if not Path(place).is_file():
            raise ValueError(f"{place}: no such file; tools/test.py --dump writes one")
        models[name] = read_predictions(place, problems)
    return models


def out_files(out: Path, photos: Path) -> tuple[Path, Path | None]:
    """The sheet's file, and that of the figures if ``out`` is a folder.

    Raises:
        ValueError: The sheet would lie among the photos, or the folder is a file.
    """
    single = out.suffix.lower() in _PICTURES and not out.is_dir()
    if not single and out.exists() and not out.is_dir():
        raise ValueError(
            f"--out {out} is a file; name a folder, or a file that ends in {', '.join(_PICTURES)}"
        )
    if photos.is_dir() and (out.parent if single else out).resolve().is_relative_to(photos.resolve()):
        raise ValueError(f"--out {out} lies in {photos}, a folder of photos; name another place")
    return (out, None) if single else (out / "sheet.png", out / "figures.json")


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_intermixed_args(argv))


if __name__ == "__main__":
    sys.exit(main())
