"""``datasets check``: everything that cannot be used in a dataset, and photos that are in a gallery too."""

import argparse
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from procrop.datasets.formats.spec import SYNTAX

if TYPE_CHECKING:
    from procrop.datasets.checks import Leak, PhotoList, ThumbnailCache
    from procrop.datasets.checks.photo_checks import PhotoScan
    from procrop.datasets.formats.spec import DatasetSpec
    from procrop.datasets.records import CropSet

_SHOWN = 5
_OVERLOOKED = "mirrored or strongly cropped copies are not found"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--photos", action="store_true", help="open each photo for its size")
    parser.add_argument(
        "--decode",
        action="store_true",
        help="read each photo whole, and look for photos that are in the set twice",
    )
    parser.add_argument(
        "--gallery",
        metavar="DIR",
        help=f"look for photos of the dataset that are in this gallery (reads all photos; {_OVERLOOKED})",
    )
    parser.add_argument(
        "--gallery-photos", metavar="DIR", help="where the gallery's photos are, if they were moved"
    )
    parser.add_argument(
        "--against", metavar=SYNTAX, help=f"look for photos that are in this dataset, too ({_OVERLOOKED})"
    )
    parser.add_argument(
        "--similarity",
        type=float,
        default=0.75,
        metavar="R",
        help="likeness of 16x16 thumbnails from which two photos count as one picture (default: %(default)s)",
    )
    parser.add_argument(
        "--cache", metavar="FILE", help="keep thumbnails here: photos are then read once over all runs"
    )
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="threads reading photos (default: %(default)s)"
    )
    parser.add_argument("--json", metavar="FILE", help="write the whole report into this file")
    parser.add_argument(
        "--out", metavar="FILE.html", help="draw the pairs of photos that were found, side by side"
    )
    parser.add_argument(
        "--all", action="store_true", help=f"print every place, not the first {_SHOWN} of a kind"
    )


def run(args: argparse.Namespace) -> int:
    """Check the dataset; exit code 0 when it is clean, 1 otherwise.

    Raises:
        ValueError: The dataset or what it is compared with cannot be read at all.
    """
    from procrop.datasets.checks import ThumbnailCache
    from procrop.datasets.formats.spec import parse_spec
    from procrop.io import write_json

    if args.out and not args.out.lower().endswith(".html"):
        raise ValueError(f"--out {args.out}: the sheet of pairs is a file that ends in .html")
    if not 0 < args.similarity <= 1:
        raise ValueError(f"--similarity is a number above 0 and at most 1, not {args.similarity:g}")
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, not {args.workers}")
    spec = parse_spec(args.dataset)
    with ExitStack() as stack:
        cache = stack.enter_context(ThumbnailCache(args.cache)) if args.cache else None
        report = check_dataset(spec, args, cache)
    for line in report_lines(report, f"{spec.reader.title} ({spec})", args.all):
        print(line)
    if args.json:
        write_json(args.json, report)
        print(f"report: {args.json}")
    if args.out:
        print(f"pairs: {args.out}")
    return 1 if report["problems"] else 0


def check_dataset(
    spec: "DatasetSpec", args: argparse.Namespace, cache: "ThumbnailCache | None" = None
) -> dict[str, Any]:
    """All checks that the arguments ask for, as JSON values.

    Returns:
        ``dataset``, ``records``, ``photos``, ``crops``, ``problems`` and ``notes`` (reason -> places), ``compared``
        (what it was compared with -> how many photos that has), and ``leaks`` (the same, and "itself" -> list of
        ``photo``, ``other``, ``how``, ``correlation``).
    """
    from procrop.datasets.checks import check_crops, find_leaks, find_twins, scan_photos
    from procrop.datasets.checks.set_checks import check_sizes

    found = spec.read(strict=False)
    others = dict(_others(args))
    decode = args.decode or bool(others) or bool(args.out)
    scan = scan_photos(found, args.photos, decode, cache, args.workers)
    stated = {record.photo: record.size for record in found.records if record.size is not None}
    problems = dict(found.problems.by_reason())
    crops = check_crops(found, stated | scan.sizes)
    check_sizes(found, scan.sizes, crops)
    leaks = {}
    if decode:
        mine = _photo_list(found, scan)
        leaks["itself"] = find_twins(mine, args.similarity)
        for name, other in others.items():
            other.read(cache, args.workers, "photos to compare with")
            leaks[name] = find_leaks(mine, other, args.similarity)
        if args.out:
            from procrop.apis.leak_sheet import write_leak_sheet

            write_leak_sheet(
                args.out, f"{spec.reader.title}: photos that are elsewhere, too", mine, leaks, others
            )
    for more in (scan.problems.by_reason(), crops.by_reason(), _leak_problems(leaks)):
        problems |= more
    return {
        "dataset": str(spec),
        "records": len(found),
        "photos": len({record.photo for record in found.records}),
        "crops": sum(len(record.boxes) for record in found.records),
        "problems": problems,
        "notes": _notes(leaks, scan, others),
        "compared": {name: len(other.names) for name, other in others.items()},
        "leaks": {name: [leak.to_json() for leak in found] for name, found in leaks.items()},
    }


def _others(args: argparse.Namespace) -> "Iterable[tuple[str, PhotoList]]":
    """What the dataset is to be compared with, by name."""
    from procrop.datasets.checks import PhotoList
    from procrop.datasets.formats.spec import parse_spec

    if args.gallery_photos and not args.gallery:
        raise ValueError("--gallery-photos goes with --gallery")
    if args.gallery:
        from procrop.retrieval import Gallery

        gallery = Gallery.open(args.gallery, photo_root=args.gallery_photos)
        paths = [gallery.photo_path(i) for i in range(len(gallery))]
        hashes = {i: record.sha256 for i, record in enumerate(gallery.records)}
        yield "the gallery", PhotoList(paths, gallery.names, gallery.source_ids, sha256=hashes)
    if args.against:
        spec = parse_spec(args.against)
        yield str(spec), _photo_list(spec.read(strict=False))


def _photo_list(found: "CropSet", scan: "PhotoScan | None" = None) -> "PhotoList":
    from procrop.datasets.checks import PhotoList

    sources = {record.photo: record.source_id for record in found.records}
    thumbnails = scan.thumbnails if scan else {}
    positions = {i: thumbnails[name] for i, name in enumerate(sources) if name in thumbnails}
    return PhotoList(
        [found.photos / name for name in sources], list(sources), list(sources.values()), positions
    )


def _leak_problems(leaks: "dict[str, list[Leak]]") -> dict[str, list[str]]:
    from procrop.datasets.checks.leakage import OTHER_PICTURE

    problems: dict[str, list[str]] = {}
    for where, found in leaks.items():
        place = "in the dataset twice" if where == "itself" else f"in {where}"
        for leak in found:
            if leak.how != OTHER_PICTURE:
                problems.setdefault(f"photo {place}: {leak.how}", []).append(_pair(leak))
    return problems


def _pair(leak: "Leak") -> str:
    likeness = "" if leak.correlation is None else f" (likeness {leak.correlation:.3f})"
    return f"{leak.photo} = {leak.other}{likeness}"


def _notes(
    leaks: "dict[str, list[Leak]]", scan: "PhotoScan", others: "dict[str, PhotoList]"
) -> dict[str, list[str]]:
    """What a person should know and is no fault."""
    import numpy as np

    from procrop.datasets.checks.leakage import OTHER_PICTURE
    from procrop.datasets.checks.near_duplicates import is_flat

    notes: dict[str, list[str]] = {}
    flat = [name for name, data in scan.thumbnails.items() if is_flat(data[None])[0]]
    if flat:
        notes["photo of one even colour or even stripes: cannot be compared with others"] = flat
    for where, found in leaks.items():
        named = [f"{leak.photo} / {leak.other}" for leak in found if leak.how == OTHER_PICTURE]
        if named:
            notes[f"name that a photo in {where} has too, with another picture"] = named
    for where, other in others.items():
        unread = [other.names[i] for i in np.setdiff1d(range(len(other.names)), list(other.thumbnails))]
        if unread:
            notes[f"photo of {where} missing or unreadable: compared by name and file hash only"] = unread
    return notes


def report_lines(report: dict[str, Any], title: str, everything: bool = False) -> Iterable[str]:
    """The report for people, line by line."""
    from procrop.datasets.checks.leakage import OTHER_PICTURE
    from procrop.visualization.fonts import printable

    yield f"{title}: {report['records']:,} records, {report['photos']:,} photos, {report['crops']:,} crops"
    for where, photos in report["compared"].items():
        found = sum(leak["how"] != OTHER_PICTURE for leak in report["leaks"][where])
        yield f"{where}: {photos:,} photos compared, {f'{found:,}' if found else 'none'} found ({_OVERLOOKED})"
    for kind in ("problems", "notes"):
        for reason, places in report[kind].items():
            yield f"{'' if kind == 'problems' else 'note: '}{len(places):,} x {printable(reason)}"
            shown = places if everything else places[:_SHOWN]
            yield from (f"    {printable(place)}" for place in shown)
            if len(places) > len(shown):
                yield f"    ... and {len(places) - len(shown):,} more (--all or --json FILE lists them)"
    count = sum(map(len, report["problems"].values()))
    yield f"{count:,} problem{'s' * (count != 1)}" if count else "clean"
