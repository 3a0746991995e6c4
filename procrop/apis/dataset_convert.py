"""``datasets convert``: write a dataset in another format, and say what was lost."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from procrop.datasets.formats.spec import SYNTAX

if TYPE_CHECKING:
    from procrop.datasets.conversion import Conversion

_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("target", metavar=SYNTAX, help="what to write, and where: a new folder")
    parser.add_argument(
        "--photos",
        choices=("copy", "link", "none"),
        default="none",
        help="copy the photos, too, link them (hard links, on one file system), or write annotations only (default)",
    )
    parser.add_argument("--replace", action="store_true", help="replace files that are there already")
    parser.add_argument(
        "--strict", action="store_true", help="stop at what cannot be used, instead of leaving it out"
    )


def run(args: argparse.Namespace) -> int:
    """Convert the dataset; exit code 0, or 1 when records were left out or photos are missing.

    Raises:
        ValueError: The dataset cannot be read, or not be written as asked.
    """
    from procrop.datasets.conversion import convert
    from procrop.datasets.formats.spec import parse_spec

    source, target = parse_spec(args.dataset), parse_spec(args.target)
    found = source.read(args.strict)
    for reason, places in found.problems.by_reason().items():
        print(f"left out of {source}: {len(places):,} x {reason}, {_some(places)}", file=sys.stderr)
    done = convert(found, target, args.photos, args.replace)
    print("\n".join(_lines(done, str(source), str(target), args.photos)))
    return 1 if found.problems or done.left_out or done.missing else 0


def _lines(done: "Conversion", source: str, target: str, photos: str) -> Iterable[str]:
    how = {"copy": "copied", "link": "linked"}.get(photos)
    files = (
        f"{done.files:,} photos and masks {how}"
        if how
        else "no photos (--photos copy or link takes them along)"
    )
    yield f"{source} -> {target}: {done.records:,} records, {done.crops:,} crops; {files}"
    if done.left_out:
        yield f"left out: {len(done.left_out):,} records, {_some(done.left_out)}"
    for kind, ids in done.lost.items():
        yield f"lost: {kind}, of {len(ids):,} records, {_some(ids)}"
    for reason, places in done.reasons.by_reason().items():
        yield f"  because: {reason} ({len(places):,})"
    if done.missing:
        yield f"missing: {len(done.missing):,} photos or masks, {_some(list(map(str, done.missing)))}"
    if not done.lost and not done.left_out:
        yield "nothing was lost"


def _some(places: list[str]) -> str:
    from procrop.visualization.fonts import printable

    return "e.g. " + ", ".join(printable(place) for place in places[:_SHOWN])
