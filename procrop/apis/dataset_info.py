"""``datasets info``: what a dataset is like, as text, JSON or a picture."""

import argparse
from collections.abc import Iterator
from typing import Any

_BAR_WIDTH = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", metavar="FILE", help="write all figures into this file")
    parser.add_argument("--out", metavar="FILE.png", help="draw them as one picture (.png, .pdf or .svg)")
    parser.add_argument(
        "--no-headers",
        action="store_true",
        help="do not open photos for their size; only the annotations count",
    )


def run(args: argparse.Namespace) -> int:
    """Describe the dataset; exit code 0, or 1 when something in it cannot be used."""
    from procrop.datasets.formats.spec import parse_spec
    from procrop.datasets.set_sizes import photo_sizes
    from procrop.datasets.set_statistics import set_statistics
    from procrop.io import write_json

    spec = parse_spec(args.dataset)
    found = spec.read(strict=False)
    figures = set_statistics(found, photo_sizes(found, not args.no_headers))
    print("\n".join(text_lines(f"{spec.reader.title} ({spec})", figures)))
    if args.json:
        write_json(args.json, {"dataset": str(spec), "format": spec.format, "split": spec.split, **figures})
        print(f"figures: {args.json}")
    if args.out:
        from procrop.visualization.dataset_panels import save_dataset_panels

        save_dataset_panels(args.out, _heading(spec.reader.title, spec.split, figures), figures)
        print(f"picture: {args.out}")
    return 1 if figures["left_out"] or figures["missing_photos"] else 0


def _heading(title: str, split: str | None, figures: dict[str, Any]) -> str:
    split = f", {split}" if split else ""
    return f"{title}{split}: {figures['photos']:,} photos, {figures['crops']:,} crops"


def text_lines(title: str, figures: dict[str, Any]) -> Iterator[str]:
    """The figures of ``set_statistics`` for people, line by line."""
    counts, ratios, missing = (
        figures["crops_per_record"],
        figures["aspect_ratio"],
        len(figures["missing_photos"]),
    )
    yield title
    yield _line(
        "photos", f"{figures['photos']:,}, {f'{missing:,} of them missing' if missing else 'all there'}"
    )
    shapes = [f"{count:,} {name}" for name, count in figures["photo_shapes"].items() if count]
    known = figures["photo_sizes_known"]
    yield _line("photo sizes", f"known for {known:,}" + (f": {', '.join(shapes)}" if shapes else ""))
    yield _line("records", f"{figures['records']:,} of {figures['sources']:,} sources")
    yield _line(
        "crops",
        f"{figures['crops']:,}; {_each(counts)}",
    )
    yield _line("subjects", f"{figures['subjects']:,} boxes, {figures['masks']:,} masks")
    if figures["tags"]:
        yield _line("tags", ", ".join(f"{tag} {count:,}" for tag, count in figures["tags"].items()))
    yield from _score_lines(figures)
    yield from _size_lines(figures)
    shares = sorted(((share, name) for name, share in ratios["named"].items() if share), reverse=True)
    common = ", ".join(f"{name} {share:.0%}" for share, name in shares[:4])
    yield _line(
        "aspect ratio", f"median {ratios['median']:.2f}, {ratios['min']:.2f} to {ratios['max']:.2f}; {common}"
    )
    for reason, count in figures["left_out"].items():
        yield _line("left out", f"{count:,} x {reason}")


def _each(counts: dict[str, float]) -> str:
    low, high = round(counts["min"]), round(counts["max"])
    return f"{low} a record" if low == high else f"{low} to {high} a record, mean {counts['mean']:.1f}"


def _score_lines(figures: dict[str, Any]) -> Iterator[str]:
    scores, best = figures["scores"], figures["best_score_per_record"]
    if scores is None:
        yield _line("scores", "none: every crop counts as equally good")
        return
    yield _line("scores", _spread(scores, 2))
    yield _line("best of each", _spread(best, 2))
    edges, counts = scores["eighths"]["edges"], scores["eighths"]["counts"]
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        bar = "#" * round(_BAR_WIDTH * count / max(counts))
        yield f"{low:>10.2f} - {high:<5.2f} {count:>9,} {bar}".rstrip()


def _size_lines(figures: dict[str, Any]) -> Iterator[str]:
    size, pixels = figures["crop_size"], figures["crop_pixels"]
    if size is not None:
        text = ", ".join(f"{name} {size[name]['mean']:.0%}" for name in ("width", "height", "area"))
        yield _line("crop size", f"mean {text} of the photo's ({size['width']['n']:,} crops)")
    yield _line("in pixels", f"mean {pixels['width']['mean']:.0f} x {pixels['height']['mean']:.0f}")


def _spread(values: dict[str, float], digits: int) -> str:
    low, mean, sd, high = (f"{values[name]:.{digits}f}" for name in ("min", "mean", "sd", "max"))
    return f"{low} to {high}, mean {mean}, sd {sd}"


def _line(name: str, text: str) -> str:
    return f"{name:<14}{text}"
