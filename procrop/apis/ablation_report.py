"""The figures of an ablation as Markdown, CSV and JSON."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from procrop.evaluation.bootstrap import Difference
from procrop.evaluation.score_table import FLOORS
from procrop.io.atomic import write_json, write_text

from .ablation_results import Group, Row
from .ablation_run import AblationRun

VERSION = 1
# what the paper's tables show, as far as a test has it; all scores where it has none of these
DEFAULT_METRICS = (
    "acc/acc_1/5@0.85",
    "acc/mean_acc_5@0.85",
    "acc/acc_1/10@0.85",
    "acc/mean_acc_10@0.85",
    "grid/srcc",
    "crop/iou@1",
    "crop/disp@1",
    "crop_best/iou@1",
    "crop_best/disp@1",
)


def choose_metrics(groups: Sequence[Group], wanted: Sequence[str] | None) -> dict[str, list[str]]:
    """Keys to show of each test set.

    Args:
        groups: The test sets.
        wanted: Keys or patterns such as "crop/iou@*", in the order of the columns; None takes DEFAULT_METRICS.

    Returns:
        Title of a test set -> keys.

    Raises:
        ValueError: A key or pattern is in no test set; the message lists the keys there are.
    """
    known = list(dict.fromkeys(key for group in groups for key in group.keys))
    for pattern in wanted or ():
        if not _matching(pattern, known):
            raise ValueError(f"--metrics {pattern}: no such figure; there are: {', '.join(known)}")
    chosen = {}
    for group in groups:
        found = [key for pattern in wanted or DEFAULT_METRICS for key in _matching(pattern, group.keys)]
        chosen[group.title] = list(dict.fromkeys(found or (group.keys if wanted is None else [])))
    return chosen


def _matching(pattern: str, keys: Sequence[str]) -> list[str]:
    return [pattern] if pattern in keys else [key for key in keys if fnmatchcase(key, pattern)]


def markdown(
    groups: Sequence[Group], metrics: Mapping[str, Sequence[str]], open_runs: Mapping[str, str], draws: str
) -> str:
    """One table for each test set.

    Args:
        groups: The test sets.
        metrics: Keys of each.
        open_runs: Name of each training, or test of one, without results -> why, in one line.
        draws: How the intervals were made, in words.
    """
    parts = []
    for group in groups:
        keys = metrics[group.title]
        photos = "" if group.photos is None else f", {group.photos:,} photos"
        parts.append(f"## {group.title}{photos}\n\n{_table(group, keys)}")
        if any(row.differences for row in group.rows):
            parts.append(_differences(group, keys))
        if notes := _notes(group, draws):
            parts.append(notes)
    if open_runs:
        rows = "\n".join(f"- {name}: {reason}" for name, reason in open_runs.items())
        parts.append(f"## Without results\n\n{rows}")
    return "\n\n".join(parts) + "\n"


def _table(group: Group, keys: Sequence[str]) -> str:
    """Means, spread over the seeds, and floors."""
    rows = [["config", "seeds", *keys]]
    for row in group.rows:
        rows.append([row.variant.name, " ".join(map(str, row.figures)), *(_cell(row, key) for key in keys)])
    for prefix, name in FLOORS.items():
        floors = [_floor(group, prefix, key) for key in keys]
        if any(floor is not None for floor in floors):
            rows.append([f"*{name}*", "", *("" if f is None else f"{f:.4f}" for f in floors)])
    return _rows(rows)


def _cell(row: Row, key: str) -> str:
    mean, spread = row.mean(key), row.spread(key)
    return "–" if mean is None else f"{mean:.4f}" + ("" if spread is None else f" ± {spread:.4f}")


def _differences(group: Group, keys: Sequence[str]) -> str:
    """What the reference lacks of each other config, with intervals."""
    keys = [key for key in keys if any(key in row.differences for row in group.rows)]
    rows = [[f"less {group.reference}", *keys]]
    for row in group.rows:
        if row.differences:
            rows.append([row.variant.name, *(_change(row.differences.get(key)) for key in keys)])
    return _rows(rows)


def _change(change: Difference | None) -> str:
    return "" if change is None else f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"


def _rows(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def _floor(group: Group, prefix: str, key: str) -> float | None:
    """The floor of a score, which may not depend on the number of crops."""
    protocol, _, name = key.partition("/")
    start = f"{protocol}/{prefix}"
    return group.floors.get(start + name, group.floors.get(start + name.split("@")[0]))


def _notes(group: Group, draws: str) -> str:
    notes = []
    if any(len(row.figures) > 1 for row in group.rows):
        notes.append("Means over the seeds ± their standard deviation.")
    if any(row.differences for row in group.rows):
        notes.append(f"Differences: {draws}.")
    if group.without_intervals:
        notes.append(f"No intervals: {group.without_intervals}.")
    counts = {len(row.figures) for row in group.rows}
    if len(counts) > 1:
        notes.append("Not all seeds of all configs are finished.")
    return " ".join(notes)


def table_csv(groups: Sequence[Group], axis: Mapping[str, float]) -> str:
    """All scores, a line for each test set, config and score.

    Args:
        groups: The test sets.
        axis: Name of a variant -> the number in which it differs, where there is one.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "test",
            "config",
            "x",
            "metric",
            "mean",
            "std",
            "seeds",
            "difference",
            "low",
            "high",
            "p",
            "reference",
        ]
    )
    for group in groups:
        for row in group.rows:
            for key in group.keys:
                if row.mean(key) is None:
                    continue
                change = row.differences.get(key)
                numbers = [None] * 4 if change is None else [change.value, change.low, change.high, change.p]
                first = [group.title, row.variant.name, axis.get(row.variant.name), key]
                seeds = sum(key in figures for figures in row.figures.values())
                numbers = [row.mean(key), row.spread(key), seeds, *numbers]
                writer.writerow([*first, *numbers, group.reference if change else None])
    return out.getvalue()


def as_json(
    groups: Sequence[Group], runs: Sequence[AblationRun], open_runs: Mapping[str, str]
) -> dict[str, Any]:
    """Everything that is known, with the settings and digests that the figures are of."""
    tests = [
        {
            "test": group.title,
            "photos": group.photos,
            "reference": group.reference,
            "without_intervals": group.without_intervals,
            "floors": group.floors,
            "configs": [
                {
                    "name": row.variant.name,
                    "digest": row.variant.digest,
                    "figures": {str(seed): figures for seed, figures in row.figures.items()},
                    "differences": {key: asdict(change) for key, change in row.differences.items()},
                }
                for row in group.rows
            ],
        }
        for group in groups
    ]
    settings = {run.name: run.settings for run in runs}
    return {
        "version": VERSION,
        "checkpoint": runs[0].plan.checkpoint,
        "tests": tests,
        "runs": settings,
        "open": dict(open_runs),
    }


def write_report(
    out: Path,
    groups: Sequence[Group],
    runs: Sequence[AblationRun],
    metrics: Mapping[str, Sequence[str]],
    axis: Mapping[str, float],
    open_runs: Mapping[str, str],
    draws: str,
) -> str:
    """Write report.md, table.csv and results.json into the ablation's folder; returns the Markdown."""
    text = markdown(groups, metrics, open_runs, draws)
    write_text(out / "report.md", text)
    write_text(out / "table.csv", table_csv(groups, axis))
    write_json(out / "results.json", as_json(groups, runs, open_runs))
    return text
