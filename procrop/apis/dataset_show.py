"""``datasets show``: photos with their crops, as a page for the browser or as pictures."""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from procrop.datasets.records import CropRecord, CropSet

_ROOM = (360, 300)
_LARGEST = 8192
_BLANK = 236  # grey of what stands in for a photo that is not there


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR|FILE.html",
        help="one HTML file, or a folder for sheet.png, sheet_2.png, ...",
    )
    parser.add_argument(
        "--limit", type=int, default=200, metavar="N", help="records shown (default: %(default)s)"
    )
    parser.add_argument(
        "--crops",
        type=int,
        default=3,
        metavar="N",
        help="crops drawn, the best where they have scores (default: %(default)s)",
    )
    parser.add_argument(
        "--sort",
        choices=("file", "name", "score", "random"),
        default="file",
        help="order: as in the files, by name, by best score, or drawn at random (default: file)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of --sort random (default: %(default)s)"
    )
    parser.add_argument("--ids", nargs="+", metavar="ID", help="show these only, in this order")
    parser.add_argument("--tag", metavar="NAME", help="show records of this subset only, e.g. human")
    parser.add_argument("--replace", action="store_true", help="replace files that are there already")


@dataclass
class _Picture:
    """A record ready to be drawn: its photo or what stands in for it, its best crops, what to say of it."""

    photo: "np.ndarray"
    boxes: "np.ndarray"
    scores: "np.ndarray | None"
    lines: tuple[str, ...]
    alarm: str


def run(args: argparse.Namespace) -> int:
    """Write the sheet; exit code 0, or 1 when a photo could not be shown or a record not be read.

    Raises:
        ValueError: Arguments or a dataset that cannot be used.
    """
    from procrop.datasets.formats.spec import parse_spec
    from procrop.io import progress

    for name in ("limit", "crops"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} must be at least 1, not {getattr(args, name)}")
    out = Path(args.out)
    check_out(out, args.replace)
    spec = parse_spec(args.dataset)
    found = spec.read(strict=False)
    records = choose(found.records, args)
    title = f"{spec.reader.title}{f', {spec.split}' if spec.split else ''}"
    note = f"{len(records):,} of {len(found):,} records, {_order(args)}; at most {args.crops} crops of each are drawn"
    alarms: list[str] = []
    pictures = _pictures(found, progress(records, len(records), "show"), args.crops, alarms)
    if out.suffix.lower() == ".html":
        from procrop.visualization.html_sheet import write_html_sheet

        write_html_sheet(out, title, note, _cards(pictures))
        pages = [out]
    else:
        ordered = any(record.scores is not None for record in records)
        pages = _draw_pages(out / "sheet.png", title, pictures, args.crops, ordered)
    left_out = len(found.problems)
    print(
        f"{len(records):,} of {len(found):,} records shown"
        + (f", {len(alarms):,} of them without their photo" if alarms else "")
        + (f"; {left_out:,} problems in the files (datasets check lists them)" if left_out else "")
        + f": {', '.join(map(str, pages))}"
    )
    return 1 if alarms or left_out else 0


def choose(records: "Sequence[CropRecord]", args: argparse.Namespace) -> "list[CropRecord]":
    """Records that the arguments ask for, in the order that they ask for.

    Raises:
        ValueError: An id or a tag that no record has.
    """
    if args.tag:
        records = [record for record in records if args.tag in record.tags]
        if not records:
            raise ValueError(f"no record has the tag {args.tag!r}")
    if args.ids:
        by_id = {record.img_id: record for record in records}
        unknown = [name for name in args.ids if name not in by_id]
        if unknown:
            raise ValueError(
                f"--ids: no record {unknown[0]!r} (of {len(by_id):,}, e.g. {next(iter(by_id))!r})"
            )
        return [by_id[name] for name in args.ids][: args.limit]
    records = list(records)
    if args.sort == "name":
        records.sort(
            key=lambda record: [(int(p), "") if p.isdigit() else (-1, p) for p in _parts(record.img_id)]
        )
    elif args.sort == "score":
        records.sort(key=lambda record: -_best(record))
    elif args.sort == "random":
        import random

        random.Random(args.seed).shuffle(records)
    return records[: args.limit]


def _parts(name: str) -> list[str]:
    """Digits and what is between them, so that 9 comes before 10."""
    return [part for part in re.split(r"(\d+)", name) if part]


def _best(record: "CropRecord") -> float:
    return float("-inf") if record.scores is None else float(record.scores.max())


def _order(args: argparse.Namespace) -> str:
    if args.ids:
        return "as asked"
    return {
        "file": "in the order of the files",
        "name": "by name",
        "score": "by best score",
        "random": f"at random (seed {args.seed})",
    }[args.sort]


def check_out(out: Path, replace: bool) -> None:
    """See whether a sheet can be written there: a folder of pictures, or an HTML file.

    Raises:
        ValueError: It cannot, or one is there already.
    """
    is_page = out.suffix.lower() == ".html"
    if out.exists() and out.is_dir() == is_page:
        raise ValueError(f"--out {out}: name a folder, or a file that ends in .html")
    if not is_page and out.suffix and not out.exists():
        raise ValueError(f"--out {out}: a sheet is a file that ends in .html, or a folder of pictures")
    first = out if is_page else out / "sheet.png"
    if first.exists() and not replace:
        raise ValueError(f"{first} is there already; name another place, or give --replace")


def _pictures(
    found: "CropSet", records: "Iterable[CropRecord]", crops: int, alarms: list[str]
) -> "Iterator[tuple[CropRecord, _Picture]]":
    from procrop.evaluation.functional import rank_order
    from procrop.io import PhotoError, read_photo

    for record in records:
        try:
            photo, alarm = read_photo(found.photo_path(record)), ""
        except PhotoError as error:
            photo, alarm = _blank(record), f"no photo: {error.reason}"
            alarms.append(record.img_id)
        order = range(len(record.boxes)) if record.scores is None else rank_order(record.scores)
        best = list(order)[:crops]
        scores = None if record.scores is None else record.scores[best]
        yield record, _Picture(photo, record.boxes[best], scores, _lines(record, photo, alarm), alarm)


def _blank(record: "CropRecord") -> "np.ndarray":
    """An empty sheet of the photo's size, or of the least size that holds all crops."""
    import numpy as np

    width, height = record.size or np.ceil(record.boxes[:, 2:].max(axis=0)).astype(int)
    # a stand-in of a photo too large to draw is cut off rather than left out
    return np.full((min(int(height), _LARGEST), min(int(width), _LARGEST), 3), _BLANK, np.uint8)


def _lines(record: "CropRecord", photo: "np.ndarray", alarm: str) -> tuple[str, ...]:
    size = record.size or (None if alarm else photo.shape[1::-1])
    text = f"{len(record.boxes)} crop{'s' * (len(record.boxes) != 1)}"
    if record.scores is not None and len(record.scores):
        text += f", {record.scores.min():g} to {record.scores.max():g}"
    parts = [f"{size[0]} × {size[1]}" if size is not None else "size unknown", text]
    parts += ["with subject"] if record.subject is not None else []
    return (" · ".join(parts), *([", ".join(record.tags)] if record.tags else []))


def _cards(pictures: "Iterable[tuple[CropRecord, _Picture]]") -> Iterator:
    from procrop.visualization.crop_overlay import draw_crops
    from procrop.visualization.html_sheet import Card

    for record, picture in pictures:
        drawn = draw_crops(picture.photo, picture.boxes, picture.scores, _ROOM, record.subject)
        yield Card(record.img_id, drawn, picture.lines, picture.alarm)


def _draw_pages(
    path: Path, title: str, pictures: "Iterable[tuple[CropRecord, _Picture]]", crops: int, ordered: bool
) -> list[Path]:
    from procrop.visualization import ContactSheet, SheetRow

    with ContactSheet(path, crops, references=False, heading=title, ordered=ordered) as sheet:
        for record, picture in pictures:
            note = " · ".join((*picture.lines, *([picture.alarm] if picture.alarm else [])))
            sheet.add(
                SheetRow(
                    record.img_id,
                    picture.photo,
                    picture.boxes,
                    picture.scores,
                    note=note,
                    subject=record.subject,
                )
            )
    remove_older_pages(path, sheet.pages)
    return sheet.pages


def remove_older_pages(path: Path, pages: Sequence[Path]) -> None:
    """Remove further pages of an earlier, longer sheet whose first page was ``path``."""
    for old in path.parent.glob(f"{path.stem}_*{path.suffix}"):
        if (
            re.fullmatch(rf"{re.escape(path.stem)}_\d+{re.escape(path.suffix)}", old.name)
            and old not in pages
        ):
            old.unlink()
