"""``cad labels``: how pseudo labels changed over their versions, for all photos or for one."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procrop.datasets.pseudo_labels import LabelVersion, PhotoLabels, PseudoLabelStore

# of a table: head, key of a version's figures, digits
_COLUMNS = (
    ("photos", "photos", 0),
    ("labelled", "labelled", 0),
    ("labels", "labels", 0),
    ("IoU known", "iou_known", 3),
    ("pairwise", "pairwise_iou", 3),
    ("before", "iou_before", 3),
    ("score", "score", 2),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "store", metavar="STORE", help="folder of the store, or the work folder of the training that has it"
    )
    parser.add_argument("--photo", metavar="ID", help="show the history of one photo")
    parser.add_argument("--data", metavar="ROOT", help="folder of the dataset; for the picture")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="with --photo: draw its history (.png, .jpg or .html; needs --data); else: plot the figures (.png)",
    )
    parser.add_argument("--json", metavar="FILE", help="write what is printed into this file")


def run(args: argparse.Namespace) -> int:
    """Print, and draw where asked.

    Raises:
        ValueError: There is no such store, version or photo, or an argument is missing.
    """
    from procrop.io import write_json

    store = open_store(args.store)
    if args.photo is None:
        rows = version_rows(store)
        print("\n".join(table_lines(rows)))
        found: Any = rows
    else:
        history = store.history(args.photo)
        if not history:
            raise ValueError(f"{store.folder}: no version has looked at a photo {args.photo!r}")
        print("\n".join(history_lines(args.photo, history)))
        found = [photo_row(entry, labels) for entry, labels in history]
    if args.json:
        write_json(args.json, found)
        print(f"figures: {args.json}")
    if args.out:
        if args.photo is None:
            plot_versions(args.out, rows)
            pages = [args.out]
        else:
            pages = draw_history(args.out, args.data, args.photo, history)
        print("\n".join(f"picture: {page}" for page in pages))
    return 0


def open_store(folder: str) -> "PseudoLabelStore":
    """The store in a folder or in its ``pseudo_labels``.

    Raises:
        ValueError: Neither has a version.
    """
    from procrop.datasets.pseudo_labels import PseudoLabelStore

    for place in (Path(folder), Path(folder) / "pseudo_labels"):
        store = PseudoLabelStore(place)
        if store.latest:
            return store
    raise ValueError(
        f"{folder}: no pseudo labels here; name the work folder of a training in its second stage"
    )


def version_rows(store: "PseudoLabelStore") -> list[dict[str, Any]]:
    """Each version's number, epoch, figures and rejections, with ``iou_before``: the mean over its labels of the
    largest IoU with a label of the same photo in the version before (None where that is not kept)."""
    import numpy as np

    from procrop.structures.boxes import box_iou

    rows, before = [], None
    for entry in store.versions():
        labels = store.read(entry.version) if entry.file else None
        overlap: list[float] = []
        for name, own in (labels or {}).items() if before else ():
            old = before.get(name)
            if old is not None and len(old.boxes) and len(own.boxes):
                overlap += box_iou(own.boxes, old.boxes).max(axis=1).tolist()
        figures = dict(entry.figures, iou_before=float(np.mean(overlap)) if overlap else None)
        row = dict(version=entry.version, epoch=entry.epoch, **figures)
        rows.append(row | {"rejected": dict(entry.rejected)})
        before = labels
    return rows


def table_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A line a version."""
    yield f"{'version':>7}{'epoch':>7}" + "".join(f"{head:>11}" for head, _, _ in _COLUMNS)
    for row in rows:
        cells = (_cell(row[key], digits) for _, key, digits in _COLUMNS)
        yield f"{row['version']:>7}{row['epoch']:>7}" + "".join(f"{cell:>11}" for cell in cells)
    yield "IoU known: with the known area; pairwise: of a photo's labels, the lower the more diverse; before: with the"
    yield "nearest label of the version before"
    left_out = ", ".join(f"{reason} {count:,}" for reason, count in rows[-1]["rejected"].items())
    yield f"left out in version {rows[-1]['version']}: {left_out or 'nothing'}"


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def photo_row(entry: "LabelVersion", labels: "PhotoLabels") -> dict[str, Any]:
    """One version of one photo as JSON values."""
    from procrop.datasets.pseudo_labels.version_figures import mean_pairwise_iou
    from procrop.structures.boxes import box_iou

    return dict(
        version=entry.version,
        epoch=entry.epoch,
        boxes=labels.boxes.tolist(),
        scores=labels.scores.tolist(),
        iou_known=box_iou(labels.boxes, labels.known[None])[:, 0].tolist(),
        pairwise_iou=mean_pairwise_iou(labels.boxes),
    )


def history_lines(photo: str, history: Sequence[tuple["LabelVersion", "PhotoLabels"]]) -> Iterator[str]:
    """A line a label, version by version."""
    width, height = history[0][1].size
    known = " ".join(f"{edge:g}" for edge in history[0][1].known)
    yield f"{photo}: {width} x {height} pixels, known area {known}"
    for entry, labels in history:
        row = photo_row(entry, labels)
        spread = "" if row["pairwise_iou"] is None else f", pairwise IoU {row['pairwise_iou']:.3f}"
        yield f"version {entry.version}, after {entry.epoch} epochs: {len(labels.boxes)} labels{spread}"
        for box, score, overlap in zip(labels.boxes, labels.scores, row["iou_known"], strict=True):
            edges = "".join(f"{edge:9.1f}" for edge in box)
            yield f"  {score:5.2f} {edges}   IoU with the known area {overlap:.3f}"


def plot_versions(path: str, rows: Sequence[dict[str, Any]]) -> None:
    """Draw the figures over the epochs."""
    import io

    from matplotlib.figure import Figure

    from procrop.io.atomic import write_bytes

    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for key, name in (
        ("iou_known", "with the known area"),
        ("pairwise_iou", "of a photo's labels"),
        ("iou_before", "with the version before"),
    ):
        values = [float("nan") if row[key] is None else row[key] for row in rows]
        left.plot(epochs, values, marker=".", label=name)
    left.set(xlabel="epoch", ylabel="mean IoU", ylim=(0, 1))
    left.legend(fontsize=8)
    right.plot(epochs, [row["labels"] / max(1, row["photos"]) for row in rows], marker=".", color="tab:gray")
    right.set(xlabel="epoch", ylabel="labels a photo", ylim=(0, None))
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix.lstrip(".") or "png", dpi=120)
    write_bytes(path, buffer.getvalue())


def draw_history(
    path: str, data: str | None, photo: str, history: Sequence[tuple["LabelVersion", "PhotoLabels"]]
) -> list[Path]:
    """Draw a row a version: the photo with the known area (dashed) and its labels, and the labels themselves.

    Raises:
        ValueError: The dataset's folder is not given, or the photo is not in it.
    """
    from procrop.io import read_photo
    from procrop.visualization.contact_sheet import ContactSheet, SheetRow

    if data is None:
        raise ValueError("a picture of a photo's history needs the folder of its dataset: --data ROOT")
    pixels = read_photo(Path(data) / history[-1][1].photo)
    heading = f"{photo}: pseudo labels over {len(history)} versions"
    sheet = ContactSheet(path, crops=5, references=False, heading=heading)
    for entry, labels in history:
        title = f"version {entry.version}, after {entry.epoch} epochs"
        note = f"{len(labels.boxes)} labels"
        sheet.add(SheetRow(title, pixels, labels.boxes, labels.scores, note=note, subject=labels.known))
    return sheet.close()
