#!/usr/bin/env python
"""Measure anyone's cropper from a file of its predictions; needs neither torch nor a model.

    python tools/evaluate.py PREDICTIONS.jsonl [OTHER.jsonl ...] --dataset FORMAT:ROOT[:SPLIT]

A line of predictions is {"img_id", "size": [width, height], "boxes": [[x1, y1, x2, y2], ...], "scores"}, as
tools/test.py --dump writes it; docs/evaluation.md describes it, the protocols and their keys. With several files, the
differences of each to the first come with bootstrap intervals. NAME=FILE gives a file a name in the tables.

Photos without a prediction count as misses; they, photos that the dataset does not have and lines that cannot be used
are listed. Exit codes: 0 done, 1 some predictions rejected or missing, 2 not usable as asked.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="evaluate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("predictions", nargs="*", metavar="[NAME=]PREDICTIONS.jsonl")
    add("--dataset", required=True, metavar="FORMAT:ROOT[:SPLIT]", help="e.g. flms:data/flms")
    add("--tag", help="only the photos of this subset, e.g. human")
    add("--floors", action="store_true", help="measure no model: print the floors of the dataset alone")
    add(
        "--baseline",
        nargs="+",
        default=[],
        metavar="NAME",
        help="also measure full_photo, centre, centre_90, …",
    )
    add("--protocols", nargs="+", metavar="NAME", help="see docs/evaluation.md (default: by dataset)")
    add("--eps", type=float, default=0.85, help="smallest IoU of a hit (default: %(default)s)")
    add("--positive-threshold", type=float, metavar="MOS", help="positives of AP (default: by dataset)")
    add(
        "--fit-constant",
        metavar="FORMAT:ROOT[:SPLIT]",
        help="fit the best constant crop on this training set",
    )
    add("--save-constant", metavar="FILE.json", help="keep what --fit-constant found")
    add("--constant", metavar="FILE.json", help="constant crops from an earlier --save-constant")
    add(
        "--resamples",
        type=int,
        default=10_000,
        metavar="N",
        help="draws of the bootstrap (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="of draws and of the random baseline (default: %(default)s)")
    add("--level", type=float, default=0.95, help="of the intervals (default: %(default)s)")
    add(
        "--by-source",
        action="store_true",
        help="draw original photos with all their records (SACD's subjects)",
    )
    add("--strict", action="store_true", help="any fault of predictions or dataset is an error")
    add("--json", metavar="FILE", help="write all figures there")
    add("--markdown", metavar="FILE", help="write rows in the form of the paper's tables there")
    add("--per-photo", metavar="FILE.csv", help="write the figures of every photo there")
    add("--trained-on", default="–", metavar="TEXT", help="for that column of --markdown (SACD)")
    add("--weakly-supervised", action="store_true", help="for that column of --markdown (SACD)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Read, measure, print, write."""
    check_options(args)
    if args.floors:
        return floors_alone(args)
    from procrop.datasets.formats.spec import parse_spec
    from procrop.evaluation.comparison import Draws, compare, comparison_text
    from procrop.evaluation.named_protocols import default_protocols
    from procrop.evaluation.predictions import list_problems

    spec = parse_spec(args.dataset)
    photos = read_photos(args, args.dataset, args.tag)
    models, problems = read_models(args, photos)
    kept = [record for records in models.values() for record in records if len(record.gt)]
    ranked = all(record.candidate_scores is not None for record in kept)
    names = args.protocols or default_protocols(photos.scored, ranked)
    protocols = choose_protocols(args, photos.scored, names)
    draws = Draws(args.resamples, args.seed, args.level, args.by_source)
    found = compare(protocols, models, draws)
    first = next(iter(found.models.values()))
    left_out = f", {first.excluded} without a valid annotated crop left out" if first.excluded else ""
    print(f"{args.dataset}{f', tag {args.tag}' if args.tag else ''}: {first.photos} photos{left_out}\n")
    print(comparison_text(found))
    write_results(args, spec.format, found, next(iter(models.values())))
    return list_problems(problems)


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that would be passed over, and places that cannot be written to.

    Raises:
        ValueError: One of them.
    """
    if not (args.predictions or args.baseline or args.floors):
        raise ValueError("nothing to measure: name a file of predictions, a --baseline, or --floors")
    if args.floors and (args.predictions or args.baseline or args.markdown or args.per_photo):
        raise ValueError(
            "--floors measures no model: leave out predictions, --baseline, --markdown, --per-photo"
        )
    if args.save_constant and not args.fit_constant:
        raise ValueError("--save-constant keeps what --fit-constant finds: name the training set")
    if not 0 < args.eps <= 1:
        raise ValueError(f"--eps {args.eps:g}: an IoU above 0 and at most 1 is needed")
    for place in (args.json, args.markdown, args.per_photo, args.save_constant):
        if place is not None and Path(place).is_dir():
            raise ValueError(f"{place}: is a folder, and a file is to be written there; name a file")


def floors_alone(args: argparse.Namespace) -> int:
    """Print what no model is needed for."""
    from procrop.datasets.problems import Problems
    from procrop.evaluation.floors_alone import floors_text, measure_floors
    from procrop.evaluation.named_protocols import default_protocols
    from procrop.io.atomic import write_json

    photos = read_photos(args, args.dataset, args.tag)
    unknown = photos.forget_sizes()
    names = args.protocols or default_protocols(photos.scored, True)
    protocols = choose_protocols(args, photos.scored, names)
    figures = measure_floors(protocols, photos.with_predictions({}, Problems()))
    print(f"{args.dataset}: {len(photos.records)} photos\n\n{floors_text(figures)}")
    if unknown:
        skipped = sorted({protocol.prefix for protocol in protocols if protocol.needs_size})
        left = f"left out are fixed crops{''.join(f', {name}' for name in skipped)}"
        print(f"\nthe size of {unknown} photo(s) is not known: {left}")
    if args.json:
        write_json(args.json, {"dataset": args.dataset, "tag": args.tag, "eps": args.eps, "floors": figures})
    return 0


def read_photos(args: argparse.Namespace, dataset: str, tag: str | None = None) -> Any:  # noqa: ANN401
    """The annotations of a dataset; what is left out of it is said on stderr."""
    from procrop.datasets.formats.spec import parse_spec
    from procrop.evaluation.evaluation_photos import open_photos

    crops = parse_spec(dataset).read(strict=args.strict)
    if crops.problems:
        print(f"{dataset}: left out of the annotations: {crops.problems.summary()}", file=sys.stderr)
    return open_photos(crops, dataset, tag, args.positive_threshold)


def read_models(args: argparse.Namespace, photos: Any) -> tuple[dict[str, list], dict[str, Any]]:  # noqa: ANN401
    """Records and problems of each file of predictions and each baseline, by name."""
    from procrop.datasets.problems import Problems
    from procrop.evaluation.baselines import BASELINES, baseline_predictions
    from procrop.evaluation.predictions import read_predictions

    unknown = [name for name in args.baseline if name not in BASELINES]
    if unknown:
        raise ValueError(f"unknown baseline {unknown[0]!r}; known: {', '.join(BASELINES)}")
    read, problems = {}, {}
    for text in args.predictions:
        name, path = named_file(text)
        if name in read:
            raise ValueError(f"two models are called {name!r}; name them, e.g. mine={path}")
        problems[name] = Problems()
        read[name] = read_predictions(path, problems[name])
        photos.learn_sizes(read[name])
    photos.check_sizes()
    for name in args.baseline:
        read[name] = baseline_predictions(name, photos.sizes, args.seed)
        problems[name] = Problems()
    models = {name: photos.with_predictions(found, problems[name]) for name, found in read.items()}
    if args.strict:
        for name, found in problems.items():
            if found:
                place, reason = found.entries[0]
                raise ValueError(f"{name}: {place}: {reason} ({found.summary()})")
    return models, problems


def named_file(text: str) -> tuple[str, str]:
    """Name and path of "NAME=FILE" or "FILE"."""
    name, equals, path = text.partition("=")
    if equals and name and path and not Path(text).exists():
        return name, path
    return Path(text).stem, text


def choose_protocols(args: argparse.Namespace, scored: bool, names: Sequence[str]) -> list:
    """The protocols of these names, with constant crops if there are any."""
    from procrop.evaluation.constant_crop import fit_constant_crops, save_constant_crops, use_constant_crops
    from procrop.evaluation.named_protocols import NEED_SCORES, make_protocols

    meaningless = [name for name in names if name in NEED_SCORES]
    if meaningless and not scored:
        raise ValueError(
            f"--protocols {meaningless[0]}: {args.dataset} has no scores, so none of its crops is better than another; "
            "take crop or iou_max_mean"
        )
    if args.positive_threshold is not None and "ap" not in names:
        raise ValueError("--positive-threshold is only for --protocols ap")
    protocols = make_protocols(names, args.eps)
    if args.constant:
        use_constant_crops(protocols, args.constant)
    if args.fit_constant:
        from procrop.datasets.problems import Problems

        training = read_photos(args, args.fit_constant)
        training.check_sizes()
        records = training.with_predictions({}, Problems())
        crops = fit_constant_crops(protocols, records)
        use_constant_crops(protocols, crops)
        if args.save_constant:
            save_constant_crops(args.save_constant, crops, args.fit_constant, len(records))
    return protocols


def write_results(args: argparse.Namespace, dataset: str, found: Any, records: list) -> None:  # noqa: ANN401
    """Write the files asked for."""
    from procrop.evaluation.comparison import comparison_json
    from procrop.evaluation.paper_table import form_of, paper_table
    from procrop.evaluation.photo_sheet import write_photo_sheet
    from procrop.io.atomic import write_json, write_text

    content = comparison_json(found)
    if args.json:
        write_json(args.json, {"dataset": args.dataset, "tag": args.tag, "eps": args.eps} | content)
    if args.markdown:
        models = {model["name"]: model["figures"] for model in content["models"]}
        form = form_of(dataset, next(iter(models.values())), args.eps)
        about = [args.trained_on, "✓" if args.weakly_supervised else "×"]
        write_text(args.markdown, f"{form.title}\n\n{paper_table(form, models, content['floors'], about)}")
    if args.per_photo:
        write_photo_sheet(args.per_photo, found.models, records)


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
