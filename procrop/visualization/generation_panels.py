"""One picture of what a generated dataset is like; its first panel is Figure 6 of the paper for the set at hand."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.io import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _SECOND, _INK, _GREY = "#005cae", "#d53c1e", "#1b1b1b", "#5f6368"
_LONGEST = 46


def save_generation_panels(
    path: str | os.PathLike, title: str, figures: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """Draw the figures of `dataset_statistics` as six panels.

    Args:
        path: A .png file.
        title: Heading: which dataset it is.
        figures: What ``dataset_statistics`` returns.
        names: Composition class -> how it is written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 9.2), layout="constrained", facecolor="#fbfbf9")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.14)
    figure.suptitle(title, fontsize=17, fontweight="bold", color=_INK, x=0.012, ha="left")
    axes = figure.subplots(2, 3).ravel()
    for axis in axes:
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    _draw_classes(axes[0], figures["compositions"], names)
    _draw_histogram(axes[1], figures["known_share"], "Known area, share of the canvas", "photos")
    _draw_sides(axes[2], figures["width"], figures["height"])
    scale = "Initial crops: scale over the known area's"
    _draw_histogram(axes[3], figures.get("window_scale"), scale, "initial crops")
    ratio = "Initial crops: width / height"
    _draw_histogram(axes[4], figures.get("window_ratio"), ratio, "initial crops")
    _draw_rejected(axes[5], figures["rejected"])
    with atomic_write(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _draw_classes(
    axis: "Axes", table: Mapping[str, Mapping[str, list[int]]], names: Mapping[str, str]
) -> None:
    counts = {name: np.sum([[0, 0], *own.values()], axis=0) for name, own in table.items()}
    places = np.arange(len(counts))[::-1]
    originals, expanded = np.array(list(counts.values())).T
    axis.barh(places + 0.2, expanded, 0.4, color=_BAR, label="outpainted")
    axis.barh(places - 0.2, originals, 0.4, color=_SECOND, label="original")
    axis.set_yticks(places, [names.get(name, name) for name in counts])
    axis.set_title("Composition of the source photos", loc="left", fontsize=12)
    axis.set(xlabel="photos")
    axis.legend(frameon=False)


def _draw_histogram(axis: "Axes", measured: Mapping[str, Any] | None, title: str, what: str) -> None:
    if measured is None:
        axis.set_axis_off()
        axis.set_title(title, loc="left", fontsize=12)
        axis.text(0.5, 0.5, "none in this set", ha="center", color=_GREY, transform=axis.transAxes)
        return
    _bars(axis, measured, _BAR, None)
    axis.set_title(f"{title}\nmedian {measured['median']:.2f}", loc="left", fontsize=12)
    axis.set(ylabel=what)


def _draw_sides(axis: "Axes", width: Mapping[str, Any], height: Mapping[str, Any]) -> None:
    _bars(axis, width, _BAR, "width")
    _bars(axis, height, _SECOND, "height")
    axis.set_ylim(top=1.25 * axis.get_ylim()[1])  # room for the legend
    axis.set_title("Sides of the canvas", loc="left", fontsize=12)
    axis.set(xlabel="pixels", ylabel="photos")
    axis.legend(frameon=False)


def _bars(axis: "Axes", measured: Mapping[str, Any], colour: str, label: str | None) -> None:
    edges, counts = (np.array(measured["histogram"][key]) for key in ("edges", "counts"))
    axis.bar(
        edges[:-1],
        counts,
        np.diff(edges),
        align="edge",
        color=colour,
        alpha=0.7,
        edgecolor="white",
        lw=0.4,
        label=label,
    )


def _draw_rejected(axis: "Axes", rejected: list[tuple[str, str, int]], most: int = 8) -> None:
    axis.set_title("Left out", loc="left", fontsize=12)
    if not rejected:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "nothing", ha="center", color=_GREY, transform=axis.transAxes)
        return
    shown = rejected[:most]
    places = np.arange(len(shown))[::-1]
    axis.barh(places, [times for *_, times in shown], 0.6, color=_SECOND)
    for place, (step, reason, times) in zip(places, shown, strict=True):
        text = f"{step}: {reason}"
        text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        axis.text(0, place + 0.34, f"{times} × {text}", fontsize=8, color=_INK, va="bottom")
    axis.set_yticks([])
    axis.set_ylim(-0.5, max(len(shown), 4))
    more = f" ({len(rejected) - most} more reasons)" if len(rejected) > most else ""
    axis.set(xlabel=f"times{more}")
