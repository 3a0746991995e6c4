"""``cad show``: expanded photos with known area and initial crops, as a page for the browser or as pictures."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from procrop.apis import dataset_show

if TYPE_CHECKING:
    from procrop.datasets.records import CropRecord, CropSet
    from procrop.visualization.contact_sheet import SheetRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("root", metavar="OUT", help="folder of the dataset")
    parser.add_argument(
        "--to",
        required=True,
        metavar="DIR|FILE.html",
        dest="out",
        help="one HTML file, or a folder for sheet.png, sheet_2.png, ...",
    )
    parser.add_argument(
        "--limit", type=int, default=60, metavar="N", help="photos shown (default: %(default)s)"
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=2,
        metavar="N",
        help="initial crops drawn, up to 4 (default: %(default)s)",
    )
    parser.add_argument(
        "--sort",
        choices=("file", "name", "random"),
        default="file",
        help="order: as in the file, by name, or drawn at random (default: file)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of --sort random (default: %(default)s)"
    )
    parser.add_argument("--ids", nargs="+", metavar="ID", help="show these only, in this order")
    parser.add_argument("--class", dest="tag", metavar="NAME", help="show one composition class only")
    parser.add_argument("--replace", action="store_true", help="replace files that are there already")


def run(args: argparse.Namespace) -> int:
    """Write the sheet; exit code 0, or 1 when a photo could not be shown.

    Raises:
        ValueError: Arguments or a dataset that cannot be used.
    """
    from procrop.datasets.formats import get_format
    from procrop.io import progress
    from procrop.visualization.generation_sheet import GenerationSheet

    if args.limit < 1 or not 0 <= args.crops <= 4:
        raise ValueError(f"--limit must be at least 1 and --crops 0 to 4, not {args.limit} and {args.crops}")
    out = Path(args.out)
    dataset_show.check_out(out, args.replace)
    found = get_format("cad").read(args.root, strict=False)
    records = dataset_show.choose(found.records, args)
    missing = 0
    page = out if out.suffix.lower() == ".html" else out / "sheet.png"
    heading = f"{Path(args.root).resolve().name}: {len(records):,} of {len(found):,} photos"
    with GenerationSheet(page, 1 + args.crops, references=False, heading=heading) as sheet:
        for row in _rows(found, progress(records, len(records), "show"), args.crops):
            missing += row.photo is None
            sheet.add(row)
    dataset_show.remove_older_pages(page, sheet.pages)
    print(f"{len(records):,} of {len(found):,} photos shown: {', '.join(map(str, sheet.pages))}")
    return 1 if missing else 0


def _rows(found: "CropSet", records: "Iterable[CropRecord]", crops: int) -> "Iterator[SheetRow]":
    import numpy as np

    from procrop.io import PhotoError, read_photo
    from procrop.visualization.contact_sheet import SheetRow

    for record in records:
        try:
            photo = read_photo(found.photo_path(record))
        except PhotoError as error:
            yield SheetRow(record.img_id, note=error.reason)
            continue
        windows = np.array((record.extra.get("initial_crops") or [])[:crops], np.float64).reshape(-1, 4)
        boxes = np.concatenate([record.boxes[:1], windows])
        subject = record.extra.get("subject")
        subject = None if subject is None else np.array(subject, np.float64)
        yield SheetRow(record.img_id, photo, boxes, None, note=_note(record), subject=subject)


def _note(record: "CropRecord") -> str:
    source = record.extra.get("source") or {}
    parts = [f"{record.size[0]} × {record.size[1]}", *record.tags, str(record.extra.get("split"))]
    parts += (
        [" ".join(filter(None, (source.get("title"), "by", source["author"])))]
        if source.get("author")
        else []
    )
    parts += [source.get("licence") or "licence not stated"]
    parts += [f"STAND-IN {name}" for name in record.extra.get("stand_ins") or ()]
    return " · ".join(parts)
