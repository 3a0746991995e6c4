"""The record as a table: ``crops.csv``, a row for each crop."""

import csv
import io
from typing import Any

from procrop.apis.cropping.record import PhotoRecord

TABLE = "crops.csv"
#: boxes and photo in pixels of the upright photo, the focal point in percent of the photo (CSS object-position); a
#: photo without crops has one row, with the reason in ``rejected``
COLUMNS = (
    "path",
    "name",
    "ratio",
    "rank",
    "file",
    "x1",
    "y1",
    "x2",
    "y2",
    "score",
    "focal_x",
    "focal_y",
    "photo_width",
    "photo_height",
    "rejected",
)


def header() -> bytes:
    """The first line."""
    return _text([COLUMNS])


def rows_of(record: PhotoRecord) -> bytes:
    """The rows of a photo; undecodable bytes of file names stay as they are."""
    return _text([row for line in record.lines for row in _rows(line)])


def _rows(line: dict[str, Any]) -> list[list[Any]]:
    start = [line["path"], line["name"], line["ratio"]]
    if "rejected" in line:
        return [start + [None] * (len(COLUMNS) - 4) + [line["rejected"]]]
    return [
        [
            *start,
            rank,
            crop.get("file"),
            *crop["box"],
            crop["score"],
            *crop["focal_point"],
            *line["size"],
            None,
        ]
        for rank, crop in enumerate(line["crops"], start=1)
    ]


def _text(rows: list) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode("utf-8", "surrogateescape")
