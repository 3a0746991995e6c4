"""Rows of a comparison with how far the first one is ahead of each, as text, Markdown and JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from procrop.evaluation.bootstrap import Difference
from procrop.evaluation.comparison import Comparison, Draws, compare, comparison_json
from procrop.evaluation.photo_record import PhotoRecord
from procrop.evaluation.protocols.iou_disp import IoUDisp
from procrop.evaluation.score_table import aligned

VERSION = 1


@dataclass(frozen=True)
class CropperTable:
    """What was measured.

    Attributes:
        protocol: how.
        found: figures of all rows, and the first row's less those of each other row.
        about: row -> what it is, in words.
    """

    protocol: IoUDisp
    found: Comparison
    about: Mapping[str, str]

    @property
    def keys(self) -> list[str]:
        """Of the figures, IoU before Disp, N rising."""
        names = [name.split("@")[0] for name in self._scores]
        ends = [f"@{n}" for n in self.protocol.topk]
        return [f"{self.protocol.prefix}/{name}{end}" for name in dict.fromkeys(names) for end in ends]

    @property
    def _scores(self) -> list[str]:
        return [key.partition("/")[2] for key in next(iter(self.found.models.values())).scores]

    def gain(self, row: str, key: str) -> Difference | None:
        """How far the first row is ahead of another one: above 0 where it is better, in Disp too."""
        first = next(iter(self.found.models))
        change = self.found.differences.get((first, row), {}).get(key)
        if change is None or not _small_is_good(key):
            return change
        return Difference(-change.value, -change.high, -change.low, change.p)


def measure_rows(
    protocol: IoUDisp, rows: Mapping[str, Sequence[PhotoRecord]], about: Mapping[str, str], draws: Draws
) -> CropperTable:
    """Measure rows and compare the first with each other one.

    Args:
        protocol: How.
        rows: Name -> records, the same photos in the same order.
        about: Name -> what it is.
        draws: Of the photos, for the intervals.

    Raises:
        ValueError: No photo has an annotated crop.
    """
    first, *others = rows
    return CropperTable(protocol, compare([protocol], rows, draws, [(first, name) for name in others]), about)


def table_text(table: CropperTable) -> str:
    """For a terminal: the figures, then the gains of the first row."""
    first, *others = table.found.models
    heads = ["", *(key.partition("/")[2] for key in table.keys)]
    rows = [heads] + [[name, *_figures(table, name)] for name in table.found.models]
    parts = [_left(rows)]
    if table.found.differences:
        parts.append(f"{first} is ahead by (+: better, in Disp too), {_drawn(table)}")
        half = len(table.keys) // 2
        for keys in (table.keys[:half], table.keys[half:]):  # side by side they are wider than a terminal
            heads = ["", *(key.partition("/")[2] for key in keys)]
            parts.append(
                _left(
                    [heads, *([name, *(_interval(table.gain(name, key)) for key in keys)] for name in others)]
                )
            )
    return "\n\n".join(parts)


def table_markdown(table: CropperTable, title: str) -> str:
    """The same as two tables of Markdown."""
    first, *others = table.found.models
    keys = [key.partition("/")[2] for key in table.keys]
    heads = [_pretty(key) for key in keys]
    lines = [f"{title}, `{table.protocol.prefix}`", "", *_markdown(["cropper", "what it is", *heads])]
    for name in table.found.models:
        lines.append(_cells([name, table.about.get(name, ""), *_figures(table, name)]))
    if table.found.differences:
        lines += ["", f"**{first}** is ahead by (+: better, in Disp too), {_drawn(table)}:", ""]
        lines += _markdown(["cropper", *heads])
        for name in others:
            lines.append(_cells([name, *(_interval(table.gain(name, key), True) for key in table.keys)]))
    return "\n".join(lines) + "\n"


def table_json(table: CropperTable) -> dict[str, Any]:
    """As `comparison_json`, with ``gains`` of the first row: row -> key -> value, low, high, p; and ``about``."""
    _, *others = table.found.models
    gains = {
        name: {key: asdict(gain) for key in table.keys if (gain := table.gain(name, key))} for name in others
    }
    return comparison_json(table.found) | {"table": VERSION, "about": dict(table.about), "gains": gains}


def _small_is_good(key: str) -> bool:
    return key.partition("/")[2].startswith("disp")


def _figures(table: CropperTable, name: str) -> list[str]:
    figures = table.found.models[name].named
    return [f"{figures[key]:.4f}" for key in table.keys]


def _interval(gain: Difference | None, bold: bool = False) -> str:
    if gain is None:
        return ""
    text = f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"**{text}**" if bold and gain.low > 0 else text


def _drawn(table: CropperTable) -> str:
    draws = table.found.draws
    unit = "original photos" if draws.by_source else "photos"
    return f"{draws.level:.0%} intervals of {draws.resamples:,} paired draws of {unit}"


def _pretty(key: str) -> str:
    return key.replace("iou", "IoU").replace("disp", "Disp") + (" ↓" if key.startswith("disp") else " ↑")


def _left(rows: list[list[str]]) -> str:
    """Rows with the first column flush left."""
    width = max(len(row[0]) for row in rows)
    return aligned([[row[0].ljust(width), *row[1:]] for row in rows])


def _markdown(heads: list[str]) -> list[str]:
    return [_cells(heads), f"|{'---|' * len(heads)}"]


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
