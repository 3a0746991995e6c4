"""An audit as text, Markdown, JSON and a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from procrop.io.atomic import atomic_write, write_json, write_text

from .comparison import Comparison, Difference
from .conditions import KINDS

LABELS = {
    "retrieved": "retrieved references",
    "shuffled": "another photo's references",
    "random": "random references",
    "none": "no references",
    "twin": "model trained without references",
}


def write_report(
    folder: Path, comparisons: Sequence[Comparison], same: Mapping[str, float], seeds: int, sentence: str
) -> str:
    """Write ``report.md``, ``report.json`` and ``differences.png``.

    Args:
        folder: Where to.
        comparisons: One for each figure; the first one gave the verdict.
        same: Kind to the mean IoU of its top-1 crops with those of retrieved references.
        seeds: How many shuffles and random draws were averaged.
        sentence: The verdict.

    Returns:
        The report for a terminal.
    """
    write_json(folder / "report.json", _values(comparisons, same, seeds, sentence))
    write_text(folder / "report.md", _markdown(comparisons, same, seeds, sentence))
    _plot(folder / "differences.png", comparisons)
    return _text(comparisons, same, sentence)


def _rows(comparisons: Sequence[Comparison], same: Mapping[str, float]) -> list[list[str]]:
    """Header and one row for each figure and kind."""
    rows = [["figure", "references", "mean", "retrieved - it", "95 % interval", "p", "same top crop"]]
    for comparison in comparisons:
        arrow = "↓" if comparison.lower_is_better else "↑"
        for kind in KINDS:
            if kind in comparison.means:
                cells = _cells(comparison.differences.get(kind))
                first = f"{comparison.key} {arrow}"
                rows.append(
                    [first, LABELS[kind], f"{comparison.means[kind]:.4f}", *cells, f"{same[kind]:.3f}"]
                )
    return rows


def _cells(difference: Difference | None) -> list[str]:
    if difference is None:
        return ["", "", ""]
    if not difference.differing:  # a point, which looks like certainty
        return [f"{difference.mean:+.4f}", "no photo differs", ""]
    interval = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return [f"{difference.mean:+.4f}", interval, f"{difference.p:.3f}"]


def _text(comparisons: Sequence[Comparison], same: Mapping[str, float], sentence: str) -> str:
    rows = _rows(comparisons, same)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        padded = [
            c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([*lines, "", sentence])


def _markdown(comparisons: Sequence[Comparison], same: Mapping[str, float], seeds: int, sentence: str) -> str:
    rows = _rows(comparisons, same)
    table = ["| " + " | ".join(row) + " |" for row in rows]
    table.insert(1, "|---|---" + "|---:" * (len(rows[0]) - 2) + "|")
    photos = sorted({comparison.photos for comparison in comparisons})
    counted = f"{photos[0]}" if len(photos) == 1 else f"{photos[0]} to {photos[-1]}"
    notes = (
        f"{counted} photos. One model, and the same photos in every row. Shuffled and random references: mean of "
        f"{seeds} draw{'s' if seeds > 1 else ''} each. Intervals: paired bootstrap over the photos "
        "(records of one photo together). *Same top crop*: mean IoU of the best crop with that of retrieved references."
    )
    if "twin" in comparisons[0].means:
        notes += f" *{LABELS['twin'].capitalize()}*: of these two trainings; other seeds may differ."
    return "\n".join(["# Is the gain due to retrieval?", "", f"**{sentence}**", "", *table, "", notes, ""])


def _values(
    comparisons: Sequence[Comparison], same: Mapping[str, float], seeds: int, sentence: str
) -> dict[str, Any]:
    figures = {
        c.key: {
            "photos": c.photos,
            "sources": c.sources,
            "lower_is_better": c.lower_is_better,
            "means": c.means,
            "retrieved_minus": {kind: vars(difference) for kind, difference in c.differences.items()},
        }
        for c in comparisons
    }
    return {"verdict": sentence, "figures": figures, "same_top_crop": dict(same), "draws": seeds}


def _plot(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Gains with their intervals, a panel for each figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    kinds = [kind for kind in KINDS if kind in comparisons[0].differences]
    figure = Figure(figsize=(7, 0.5 + len(comparisons) * (0.75 + 0.3 * len(kinds))), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(comparisons), 1, squeeze=False)[:, 0]
    for panel, comparison in zip(panels, comparisons, strict=True):
        panel.axvline(0, color="0.6", linewidth=1)
        for row, kind in enumerate(kinds):
            gain = comparison.gain(kind)
            sure = gain.low > 0 or gain.high < 0
            ends = [[gain.mean - gain.low], [gain.high - gain.mean]]
            panel.errorbar(
                gain.mean,
                row,
                xerr=ends,
                fmt="o",
                color="#005caf" if sure else "0.45",
                capsize=3,
                markersize=5,
            )
        panel.set_yticks(range(len(kinds)), [LABELS[kind] for kind in kinds])
        panel.set_ylim(len(kinds) - 0.5, -0.5)
        panel.set_title(f"gain of retrieved references in {comparison.key}", fontsize=10, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=120)
