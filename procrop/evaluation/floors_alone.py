"""Floors of a dataset without any model: what random rankings and fixed crops reach on its annotations."""

import math
from collections.abc import Sequence

import numpy as np

from procrop.evaluation.photo_batch import batches
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.photo_table import PhotoTable, join_tables
from procrop.evaluation.protocols.base import Protocol
from procrop.evaluation.score_table import FLOORS, aligned, as_text, floor_of


def measure_floors(protocols: Sequence[Protocol], records: Sequence[PhotoRecord]) -> dict[str, float]:
    """Means over the photos of the floors of several protocols.

    Args:
        protocols: What to measure; those without floors of their own for single photos (AP) give none.
        records: T photos; predictions are not read. A ``size`` of NaN in all of them says that sizes are unknown: then
            the floors of fixed crops are left out, and protocols that need a size are.

    Returns:
        "prefix/key" -> figure.

    Raises:
        ValueError: If no photo has a valid annotated crop, or nothing can be measured.
    """
    rows = np.array([i for i, record in enumerate(records) if len(record.gt)], dtype=np.int64)
    if not len(rows):
        raise ValueError(
            f"none of the {len(records)} photos has a valid annotated crop: there is no floor to measure"
        )
    found: dict[str, float] = {}
    parts = list(batches([records[i] for i in rows]))
    known = np.isfinite(parts[0].size).all()
    for protocol in protocols:
        if protocol.needs_size and not known:
            continue
        tables = []
        for batch in parts:
            figures = protocol.floor_figures(batch)
            if figures:
                tables.append(PhotoTable(tuple(figures), np.stack(list(figures.values()), axis=1)))
        means = join_tables(tables, rows, len(records)).means() if tables else {}
        found |= {f"{protocol.prefix}/{key}": value for key, value in means.items() if math.isfinite(value)}
    if not found:
        raise ValueError(
            "none of these protocols has a floor without the photos' sizes; put the photos where the dataset has them"
        )
    return found


def floors_text(figures: dict[str, float]) -> str:
    """The floors as a table of text: a line for each score, a column for each floor."""
    cells: dict[str, dict[str, float]] = {}
    for name, value in figures.items():
        prefix, _, key = name.partition("/")
        floor = floor_of(key)
        cells.setdefault(f"{prefix}/{key.removeprefix(floor)}", {})[floor] = value
    for key in [key for key in cells if any(other.startswith(f"{key}@") for other in cells)]:
        whole = cells.pop(key)  # a fixed crop's figure does not depend on N
        for other, row in cells.items():
            if other.startswith(f"{key}@"):
                row |= whole
    used = [floor for floor in FLOORS if any(floor in row for row in cells.values())]
    rows = [["", *(FLOORS[floor] for floor in used)]]
    rows += [[key, *(as_text(row.get(floor)) for floor in used)] for key, row in cells.items()]
    return aligned(rows)
