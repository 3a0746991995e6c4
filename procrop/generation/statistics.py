"""What a generated dataset is like, in figures: Table 2 of the paper for the set at hand, sizes, what was left out."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from procrop.datasets.formats import get_format
from procrop.datasets.formats.text import numbered_lines
from procrop.datasets.records import CropRecord
from procrop.datasets.set_statistics import summary

from .classes import COMPOSITION_CLASSES
from .datacard import counted_reasons, markdown_table
from .run_folder import REJECTED

# the paper's names of the classes, and that of a photo without one
_TITLES = {name: name.replace("_", " ").capitalize() for name in COMPOSITION_CLASSES}
NO_CLASS = "none stated"
_BINS = 20


def dataset_statistics(root: Path) -> dict[str, Any]:
    """Count and measure a dataset.

    Args:
        root: Its folder.

    Returns:
        JSON values: ``photos``, ``items``, ``splits`` (name -> [source photos, items]), ``collections`` (names),
        ``compositions`` (class -> collection -> [source photos, items]), ``known_share``, ``width``, ``height`` and
        ``window_scale`` (each a summary with ``histogram``; window_scale is the square root of an initial crop's area
        over that of the known area, absent without initial crops), ``window_ratio`` (width / height), and ``rejected``
        (step, reason, times).

    Raises:
        DatasetNotFoundError, AnnotationError: There is none, or it is damaged.
    """
    records = get_format("cad").read(root).records
    known = np.array([record.boxes[0] for record in records])
    sizes = np.array([record.size for record in records], np.float64)
    return {
        "photos": len({record.source_id for record in records}),
        "items": len(records),
        "splits": _splits(records),
        "collections": sorted({_collection(record) for record in records}),
        "compositions": _compositions(records),
        "known_share": _measured(_areas(known) / sizes.prod(axis=1), 0, 1),
        "width": _measured(sizes[:, 0]),
        "height": _measured(sizes[:, 1]),
        **_windows(records),
        "rejected": counted_reasons(_rejected(root)),
    }


def statistics_text(figures: Mapping[str, Any], title: str) -> str:
    """The figures as Markdown; the first table is Table 2 of the paper, whose total is that of outpainted photos."""
    lines = [f"# {title}", "", f"{figures['items']:,} photos from {figures['photos']:,} source photos.", ""]
    lines += ["## Composition classes of the source photos", "", *_table_2(figures), "", "## Splits", ""]
    splits = ((name, *numbers) for name, numbers in figures["splits"].items())
    lines += [*markdown_table(("split", "source photos", "photos"), splits), "", "## Sizes", ""]
    names = {
        "known_share": "known area / canvas",
        "width": "canvas width (px)",
        "height": "canvas height (px)",
        "window_scale": "initial crop / known area (square root of areas)",
        "window_ratio": "initial crop width / height",
    }
    rows = [(text, *_numbers(figures[name])) for name, text in names.items() if name in figures]
    lines += [*markdown_table(("", "least", "mean", "sd", "median", "largest"), rows), "", "## Left out", ""]
    if figures["rejected"]:
        lines += markdown_table(("step", "reason", "times"), figures["rejected"])
    else:
        lines += ["Nothing."]
    return "\n".join(lines) + "\n"


def class_title(name: str) -> str:
    """A composition class as people write it."""
    return _TITLES.get(name, name)


def _table_2(figures: Mapping[str, Any]) -> list[str]:
    collections, table = figures["collections"], figures["compositions"]
    columns = ["composition"]
    columns += [f"{name} {what}" for what in ("original", "outpainted") for name in collections]
    rows = []
    for by_collection in table.values():
        counts = [by_collection.get(c, [0, 0]) for c in collections]
        expanded = [c[1] for c in counts]
        rows.append([*(c[0] for c in counts), *expanded, sum(expanded)])
    total = np.sum(rows, axis=0).tolist()
    body = [[class_title(name), *row] for name, row in zip(table, rows, strict=True)]
    return markdown_table([*columns, "total outpainted"], [*body, ["Total", *total]])


def _numbers(measured: Mapping[str, float]) -> list[str]:
    values = (measured[key] for key in ("min", "mean", "sd", "median", "max"))
    return [f"{value:,.0f}" if measured["max"] >= 100 else f"{value:.3f}" for value in values]


def _splits(records: Sequence[CropRecord]) -> dict[str, list[int]]:
    photos, items = {}, Counter(str(record.extra.get("split")) for record in records)
    for record in records:
        photos.setdefault(str(record.extra.get("split")), set()).add(record.source_id)
    return {
        name: [len(photos[name]), items[name]] for name in ("train", "val", "test", "None") if items[name]
    }


def _compositions(records: Sequence[CropRecord]) -> dict[str, dict[str, list[int]]]:
    """Class -> collection -> [source photos, items], all nine classes in their order."""
    found: dict[str, dict[str, list[int]]] = {name: {} for name in COMPOSITION_CLASSES}
    seen = set()
    for record in records:
        name = record.tags[0] if record.tags else NO_CLASS
        counts = found.setdefault(name, {}).setdefault(_collection(record), [0, 0])
        counts[0] += record.source_id not in seen
        counts[1] += 1
        seen.add(record.source_id)
    return found


def _collection(record: CropRecord) -> str:
    return str((record.extra.get("source") or {}).get("collection", "photos"))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _measured(values: np.ndarray, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    """Summary with a histogram between two limits, or the least and largest value."""
    ends = (values.min() if low is None else low, values.max() if high is None else high)
    counts, edges = np.histogram(values, _BINS, ends if ends[1] > ends[0] else None)
    return summary(values) | {"histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}


def _windows(records: Sequence[CropRecord]) -> dict[str, Any]:
    scales, ratios = [], []
    for record in records:
        crops = np.array(record.extra.get("initial_crops") or np.zeros((0, 4)), np.float64).reshape(-1, 4)
        scales.append((_areas(crops) / _areas(record.boxes[:1])) ** 0.5)
        ratios.append((crops[:, 2] - crops[:, 0]) / (crops[:, 3] - crops[:, 1]))
    scales, ratios = np.concatenate(scales), np.concatenate(ratios)
    if not len(scales):
        return {}
    return {"window_scale": _measured(scales), "window_ratio": _measured(ratios)}


def _rejected(root: Path) -> list[dict[str, str]]:
    path = root / REJECTED
    if not path.is_file():
        return []
    return [json.loads(line) for _, line in numbered_lines(path) if line.strip()]
