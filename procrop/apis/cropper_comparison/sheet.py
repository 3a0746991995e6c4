"""A picture of each photo with human crops, the crops of a few rows, and the references of the first."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from procrop.apis.model_comparison import draw_comparison
from procrop.datasets.problems import Problems
from procrop.evaluation.predictions import read_predictions
from procrop.visualization.model_sheet import REFERENCE_ROOM, REFERENCES_SHOWN
from procrop.visualization.thumbnails import read_thumbnail

from .compare import ComparedDataset
from .cropper_row import CropperRow
from .prediction_store import PredictionStore

_BESIDE = ("teacher", "smartcrop")
_PER_PAGE = 12


def rows_to_draw(rows: Sequence[CropperRow], names: Sequence[str] | None = None) -> list[CropperRow]:
    """The rows of these names; None takes the first, and beside it the teacher and smartcrop if they are compared.

    Raises:
        ValueError: There is no row of a name.
    """
    by_name = {row.name: row for row in rows}
    if names is None:
        names = dict.fromkeys([rows[0].name, *(name for name in _BESIDE if name in by_name)])
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f"--sheet-rows {unknown[0]}: no such row; there are {', '.join(by_name)}")
    return [by_name[name] for name in names]


def draw_rows(
    path: str | os.PathLike,
    dataset: ComparedDataset,
    store: PredictionStore,
    rows: Sequence[CropperRow],
    limit: int | None = None,
) -> list[Path]:
    """Draw the sheet.

    Args:
        path: A .png, .jpg or .html file; further pages lie beside it.
        dataset: The photos.
        store: With the rows' predictions.
        rows: What to draw; the references are those of the first, if it has any.
        limit: Photos, from the first on.

    Returns:
        The pages.
    """
    models = {row.name: read_predictions(store.path(row), Problems()) for row in rows}
    chosen = dataset.photos.records[:limit]
    references = _references(store.path(rows[0]))
    per_page = len(chosen) if Path(path).suffix.lower().startswith(".htm") else _PER_PAGE
    return draw_comparison(
        dataset.crops, chosen, models, path, rows_per_page=per_page, references=references
    ).pages


def _references(file: Path) -> Callable[[str], list[np.ndarray | None]] | None:
    """From a photo's id to its references, as a file of predictions names them; None where it names none."""
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    paths = {
        str(line["img_id"]): [reference["path"] for reference in line.get("references", ())] for line in lines
    }
    if not any(paths.values()):
        return None

    def pictures(img_id: str) -> list[np.ndarray | None]:
        return [read_thumbnail(path, REFERENCE_ROOM) for path in paths.get(img_id, [])[:REFERENCES_SHOWN]]

    return pictures
