"""What a comparison of retrieval encoders comes out as: a table of figures, and a sheet to look at."""

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from procrop.apis.backbone_comparison import Comparison, QueryResult
from procrop.evaluation.functional.neighbour_overlap import neighbour_overlap
from procrop.io import PhotoError, progress, read_photo
from procrop.visualization.comparison_sheet import ComparisonRow, ComparisonSheet, ShownNeighbour

#: the two measures of agreement, in the order of `QueryResult.agreement`; docs/comparing_encoders.md defines them
MEASURES = ("line_orientation", "subject_position")


def comparison_table(comparison: Comparison) -> dict[str, Any]:
    """All figures of a comparison as JSON values.

    Returns:
        ``gallery_photos`` (per encoder), ``k``, ``overlap`` (``pairs``: mean share of the top k in common, and
        ``chance``: that of k photos drawn at random), ``agreement`` (per encoder and measure: ``mean`` over the
        queries, ``gain`` over the floor and its ``standard_error``, None for a single query), ``floor`` (per
        measure), ``queries`` (neighbours with scores and agreement, and each query's own floor), ``rejected``.
    """
    queries = comparison.queries
    floors = np.array([query.floor for query in queries])
    return {
        "k": comparison.k,
        "gallery_photos": dict(comparison.photos),
        "metrics": dict(comparison.metrics),
        "overlap": _overlaps(comparison),
        "agreement": {name: _gains(_means(queries, name), floors) for name in comparison.encoders},
        "floor": _named(_mean(floors)),
        "queries": [_query_entry(query) for query in queries],
        "rejected": dict(comparison.rejected),
    }


def _overlaps(comparison: Comparison) -> dict[str, Any]:
    pairs = []
    for first, second in combinations(comparison.encoders, 2):
        found = [
            tuple([name for name, _ in query.neighbours[encoder]] for encoder in (first, second))
            for query in comparison.queries
        ]
        shares = [neighbour_overlap(*pair) for pair in found if any(pair)]
        pairs.append({"encoders": [first, second], "overlap": float(np.mean(shares)) if shares else None})
    photos = max(comparison.photos.values(), default=0)
    return {"pairs": pairs, "chance": min(1.0, comparison.k / photos) if photos else None}


def _means(queries: Sequence[QueryResult], encoder: str) -> np.ndarray:
    """(queries, 2) mean agreement of each query with its neighbours."""
    return np.array([_mean(query.agreement[encoder]) for query in queries])


def _mean(rows: np.ndarray) -> np.ndarray:
    """(n, 2) -> (2,) mean of the rows without NaN; NaN when there is none."""
    whole = rows[~np.isnan(rows).any(axis=1)]
    return whole.mean(axis=0) if len(whole) else np.full(2, np.nan)


def _gains(means: np.ndarray, floors: np.ndarray) -> dict[str, dict[str, float | None]]:
    gains = means - floors
    gains = gains[~np.isnan(gains).any(axis=1)]
    error = gains.std(axis=0, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.full(2, np.nan)
    figures = {"mean": _mean(means), "gain": _mean(gains), "standard_error": error}
    return {
        measure: {name: _number(values[i]) for name, values in figures.items()}
        for i, measure in enumerate(MEASURES)
    }


def _named(values: np.ndarray) -> dict[str, float | None]:
    return {measure: _number(value) for measure, value in zip(MEASURES, values, strict=True)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _query_entry(query: QueryResult) -> dict[str, Any]:
    neighbours = {
        encoder: [
            {"name": name, "score": round(score, 6), **_named(agreement)}
            for (name, score), agreement in zip(near, query.agreement[encoder], strict=True)
        ]
        for encoder, near in query.neighbours.items()
    }
    return {"name": query.name, "floor": _named(query.floor), "neighbours": neighbours}


def table_markdown(table: dict[str, Any]) -> str:
    """The figures of `comparison_table` that matter, as Markdown."""
    names = list(table["agreement"])
    counts = sorted(set(table["gallery_photos"].values()))
    photos = " to ".join(str(count) for count in (counts if len(counts) < 2 else (counts[0], counts[-1])))
    lines = [
        "# Retrieval encoders compared",
        "",
        f"{len(table['queries'])} queries, {photos} gallery photos, {table['k']} neighbours each.",
        "",
        "## Agreement in composition of query and neighbours",
        "",
        "| encoder | line orientation | over random | subject position | over random |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        cells = []
        for measure in MEASURES:
            figures = table["agreement"][name][measure]
            error = figures["standard_error"]
            spread = "" if error is None else f" ± {error:.3f}"
            gain = "–" if figures["gain"] is None else f"{figures['gain']:+.3f}{spread}"
            cells += [_cell(figures["mean"]), gain]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append(
        f"| random gallery photos | {' |  | '.join(_cell(table['floor'][m]) for m in MEASURES)} |  |"
    )
    if table["overlap"]["pairs"]:
        lines += ["", "## Neighbours in common", ""]
        lines += ["|  | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        shares = {frozenset(pair["encoders"]): pair["overlap"] for pair in table["overlap"]["pairs"]}
        for row in names:
            cells = ["1" if row == name else _cell(shares[frozenset((row, name))]) for name in names]
            lines.append(f"| {row} | {' | '.join(cells)} |")
        lines += ["", f"By chance: {_cell(table['overlap']['chance'])}."]
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def draw_sheet(comparison: Comparison, path: str | os.PathLike) -> list[Path]:
    """Draw the sheet of a comparison: queries down, encoders across; rejected queries have a row with the reason.

    Returns:
        The paths of its pages.
    """
    columns = [
        (name, f"{comparison.metrics[name].replace('_', ' ')}, {comparison.photos[name]} photos")
        for name in comparison.encoders
    ]
    shown = progress(comparison.queries, desc="drawing")
    with ComparisonSheet(path, columns, comparison.k) as sheet:
        for query in shown:
            sheet.add(_sheet_row(query, comparison))
    return sheet.pages


def _sheet_row(query: QueryResult, comparison: Comparison) -> ComparisonRow:
    found = {encoder: {name for name, _ in near} for encoder, near in query.neighbours.items()}
    blocks = []
    for encoder in comparison.encoders:
        others = set().union(*(names for other, names in found.items() if other != encoder))
        blocks.append(
            [
                ShownNeighbour(_thumbnail(comparison.photo_root / name), score, name in others)
                for name, score in query.neighbours[encoder]
            ]
        )
    notes = [
        f"agreement: {_agreement_text(_mean(query.agreement[encoder]))}" for encoder in comparison.encoders
    ]
    floor = f"random photos: {_agreement_text(query.floor)}"
    return ComparisonRow(query.name, read_photo(query.path), floor, blocks, notes)


def _agreement_text(values: np.ndarray) -> str:
    lines, subject = (_cell(_number(value)) for value in values)
    return f"lines {lines}, subject {subject}"


def _thumbnail(path: Path) -> np.ndarray | None:
    try:
        return read_photo(path)
    except PhotoError:
        return None
