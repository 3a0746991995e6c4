"""Figures of every photo as a table that spreadsheets read."""

import csv
import os
from collections.abc import Mapping, Sequence

import numpy as np

from procrop.evaluation.measured import Measured
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.photo_table import PhotoTable
from procrop.evaluation.score_table import floor_of
from procrop.io.atomic import atomic_write


def write_photo_sheet(
    path: str | os.PathLike, models: Mapping[str, Measured], records: Sequence[PhotoRecord]
) -> None:
    """Write a CSV file with one row per model and photo.

    Columns: ``model``, ``img_id``, ``source_id``, then every score by "prefix/key"; an empty cell is undefined there.
    Figures of the whole set only (AP) and floors are left out.

    Args:
        path: File to write.
        models: Name -> what the protocols found.
        records: The photos, in the order they were measured in.
    """
    columns = {name: _columns(found) for name, found in models.items()}
    keys = list(next(iter(columns.values())))
    with atomic_write(path, "w") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(["model", "img_id", "source_id", *keys])
        for name, values in columns.items():
            for row, record in enumerate(records):
                figures = [values[key][row] for key in keys]
                cells = ["" if np.isnan(value) else repr(round(float(value), 9)) for value in figures]
                sheet.writerow([name, record.img_id, record.source_id, *cells])


def _columns(found: Measured) -> dict[str, np.ndarray]:
    columns = {}
    for protocol, table in zip(found.protocols, found.tables, strict=True):
        if isinstance(table, PhotoTable):
            for key, values in zip(table.keys, table.values.T, strict=True):
                if floor_of(key) is None:
                    columns[f"{protocol.prefix}/{key}"] = values
    return columns
