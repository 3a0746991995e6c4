"""Plots of an ablation: lines over a number (the paper's Figure 9), or bars."""

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.io.atomic import write_bytes

from .ablation_results import Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 3
_TOP = re.compile(r"(.+)@(\d+)")


def plot(
    groups: Sequence[Group],
    metrics: Mapping[str, Sequence[str]],
    axis: Mapping[str, float],
    name: str,
    out: Path,
) -> list[Path]:
    """Write a picture for each test set.

    Args:
        groups: The test sets.
        metrics: Keys to show of each. A key of one crop (``iou@1``) stands for those of more crops too.
        axis: Name of each variant -> the number in which it differs; empty makes bars.
        name: What the number is called.
        out: Folder to write to.

    Returns:
        The files.
    """
    from matplotlib.figure import Figure

    files = []
    for group in groups:
        panels = _panels(metrics[group.title], group.keys)
        if not panels:
            continue
        rows, columns = math.ceil(len(panels) / _COLUMNS), min(len(panels), _COLUMNS)
        high = 3.0 if axis else 1.0 + 0.32 * len(group.rows)
        figure = Figure(figsize=(3.8 * columns, high * rows), layout="constrained")
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in places[len(panels) :]:
            axes.remove()
        for axes, (title, keys) in zip(places, panels.items(), strict=False):
            axes.set_title(title, fontsize=9)
            if axis:
                _lines(axes, group, keys, axis, name)
            else:
                _bars(axes, group, keys[0])
        figure.suptitle(group.title, fontsize=9)
        buffer = io.BytesIO()
        # no version of the program in the file: equal figures give equal bytes
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
        slug = re.sub(r"[^A-Za-z0-9]+", "_", group.title).strip("_")
        files.append(out / f"plot_{slug}.png")
        write_bytes(files[-1], buffer.getvalue())
    return files


def _panels(keys: Sequence[str], known: Sequence[str]) -> dict[str, list[str]]:
    """Title of each panel -> its keys: all numbers of crops of a score in one."""
    panels: dict[str, list[str]] = {}
    for key in keys:
        found = _TOP.fullmatch(key)
        if not found:
            panels[key] = [key]
            continue
        title = found[1]
        tops = [other for other in known if (match := _TOP.fullmatch(other)) and match[1] == title]
        panels[title] = sorted(tops, key=lambda other: int(_TOP.fullmatch(other)[2]))
    return panels


def _lines(axes: "Axes", group: Group, keys: Sequence[str], axis: Mapping[str, float], name: str) -> None:
    for key in keys:
        points = sorted(
            (axis[row.variant.name], row.mean(key), row.spread(key) or 0.0)
            for row in group.rows
            if row.mean(key) is not None
        )
        x, y, spread = zip(*points, strict=True)
        top = _TOP.fullmatch(key)
        label = f"top {top[2]}" if top else None
        axes.errorbar(
            x, y, yerr=spread if any(spread) else None, marker="o", markersize=4, capsize=2, label=label
        )
    axes.set_xlabel(name, fontsize=9)
    axes.grid(alpha=0.3)
    if len(keys) > 1:
        axes.legend(fontsize=8)


def _bars(axes: "Axes", group: Group, key: str) -> None:
    rows = [row for row in group.rows if row.mean(key) is not None]
    spread: Any = [row.spread(key) or 0.0 for row in rows]
    axes.barh(
        [row.variant.name for row in rows],
        [row.mean(key) for row in rows],
        xerr=spread if any(spread) else None,
        height=0.6,
    )
    axes.invert_yaxis()
    axes.tick_params(labelsize=8)
    axes.grid(axis="x", alpha=0.3)
