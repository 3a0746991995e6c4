"""One picture of what a dataset's crops are like: scores, sizes, places, shapes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.io import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BAR, _SECOND, _INK, _GREY = "#005cae", "#d53c1e", "#1b1b1b", "#5f6368"
_MAP = "viridis"
_TICKS = (0, 0.25, 0.5, 0.75, 1)


def save_dataset_panels(path: str | os.PathLike, title: str, figures: dict[str, Any]) -> None:
    """Draw the figures of `set_statistics` as six panels.

    Args:
        path: A .png, .pdf or .svg file.
        title: Heading: which dataset it is.
        figures: The dict that ``set_statistics`` returns.

    Raises:
        ValueError: The suffix is another one.
    """
    from matplotlib.figure import Figure

    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in ("png", "pdf", "svg"):
        raise ValueError(f"{os.fspath(path)!r}: a picture ends in .png, .pdf or .svg")
    figure = Figure(figsize=(15, 9.2), layout="constrained", facecolor="#fbfbf9")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.14)
    figure.suptitle(title, fontsize=17, fontweight="bold", color=_INK, x=0.012, ha="left")
    axes = figure.subplots(2, 3)
    for draw, axis in zip(
        (_draw_scores, _draw_size, _draw_coverage, _draw_ratios, _draw_counts, _draw_best),
        axes.ravel(),
        strict=True,
    ):
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        draw(axis, figures)
        axis.title.set_fontsize(12)
    with atomic_write(path) as file:
        figure.savefig(file, format=kind, dpi=110)


def _note(axis: "Axes", title: str, text: str) -> None:
    """Say in words why a panel is empty."""
    axis.set_title(title, loc="left", color=_INK)
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", color=_GREY, fontsize=11, transform=axis.transAxes)


def _bars(axis: "Axes", histogram: dict[str, list], colour: str = _BAR) -> None:
    edges = np.array(histogram["edges"])
    axis.bar(
        edges[:-1], histogram["counts"], np.diff(edges), align="edge", color=colour, edgecolor="white", lw=0.4
    )


def _draw_scores(axis: "Axes", figures: dict[str, Any]) -> None:
    scores = figures["scores"]
    if scores is None:
        _note(axis, "Scores", "none in this format:\nevery crop counts as equally good")
        return
    _bars(axis, scores["histogram"])
    axis.axvline(scores["mean"], color=_INK, lw=1.2, ls="--")
    axis.set_title(f"Scores: mean {scores['mean']:.2f} (dashed), sd {scores['sd']:.2f}", loc="left")
    axis.set(xlabel="score", ylabel="crops")


def _draw_size(axis: "Axes", figures: dict[str, Any]) -> None:
    """Width and height of the crops, in parts of the photo where most sizes are known, else in pixels."""
    size, known, photos = figures["crop_size"], figures["photo_sizes_known"], figures["photos"]
    relative = size is not None and 2 * known >= photos
    data = size if relative else figures["crop_pixels"]
    counts = np.ma.masked_equal(data["counts"], 0)
    mesh = axis.pcolormesh(data["width_edges"], data["height_edges"], counts, cmap=_MAP)
    axis.figure.colorbar(mesh, ax=axis, label="crops", fraction=0.046)
    axis.set_aspect("equal")
    if relative:
        part = f"\n({known:,} of {photos:,} photos, whose size is known)" if known < photos else ""
        axis.set_title(f"Size of the crops{part}", loc="left")
        axis.set(
            xlabel="width / photo's width", ylabel="height / photo's height", xticks=_TICKS, yticks=_TICKS
        )
    else:
        axis.set_title(
            f"Size of the crops in pixels\n(photo size known for {known:,} of {photos:,})", loc="left"
        )
        axis.set(xlabel="width", ylabel="height")


def _draw_coverage(axis: "Axes", figures: dict[str, Any]) -> None:
    if figures["coverage"] is None:
        _note(axis, "Where the crops lie", "needs the photos' sizes,\nand none of them is known")
        return
    known, photos = figures["photo_sizes_known"], figures["photos"]
    image = axis.imshow(
        figures["coverage"], extent=(0, 1, 1, 0), cmap=_MAP, vmin=0, vmax=1, interpolation="nearest"
    )
    axis.figure.colorbar(image, ax=axis, label="share of the crops that cover it", fraction=0.046)
    part = f"\n({known:,} of {photos:,} photos, whose size is known)" if known < photos else ""
    axis.set_title(f"Where the crops lie{part}", loc="left")
    axis.set(xlabel="left to right of the photo", ylabel="bottom to top")
    axis.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axis.set_yticks(_TICKS, [f"{1 - tick:g}" for tick in _TICKS])


def _draw_ratios(axis: "Axes", figures: dict[str, Any]) -> None:
    ratios = figures["aspect_ratio"]
    _bars(axis, ratios["histogram"])
    ticks = {"1:4": 0.25, "1:2": 0.5, "2:3": 2 / 3, "1:1": 1, "3:2": 1.5, "2:1": 2, "4:1": 4}
    axis.set_xscale("log")
    axis.set_xticks(list(ticks.values()), list(ticks))
    axis.minorticks_off()
    axis.set_title(f"Aspect ratio of the crops: median {ratios['median']:.2f}", loc="left")
    axis.set(xlabel="width : height", ylabel="crops")


def _draw_counts(axis: "Axes", figures: dict[str, Any]) -> None:
    counts = figures["crops_per_record"]
    _bars(axis, counts["histogram"])
    edges = counts["histogram"]["edges"]
    room = max(0, 8 - (edges[-1] - edges[0])) / 2  # so that one or two counts do not fill the panel
    axis.set_xlim(max(0, edges[0] - room), edges[-1] + room)
    axis.set_title(f"Crops a photo: mean {counts['mean']:.1f}", loc="left")
    axis.set(xlabel="crops", ylabel="photos")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.yaxis.get_major_locator().set_params(integer=True)


def _draw_best(axis: "Axes", figures: dict[str, Any]) -> None:
    """Best score of each photo where there are scores; else the shape of the photos."""
    best, shapes = figures["best_score_per_record"], figures["photo_shapes"]
    if best is not None:
        _bars(axis, best["histogram"], _SECOND)
        axis.axvline(best["mean"], color=_INK, lw=1.2, ls="--")
        axis.set_title(f"Best score of each photo: mean {best['mean']:.2f} (dashed)", loc="left")
        axis.set(xlabel="score", ylabel="photos")
    elif any(shapes.values()):
        axis.bar(list(shapes), list(shapes.values()), 0.6, color=_SECOND)
        axis.set_title("Shape of the photos", loc="left")
        axis.set(ylabel="photos")
        axis.yaxis.get_major_locator().set_params(integer=True)
    else:
        _note(axis, "Shape of the photos", "no photo's size is known")
