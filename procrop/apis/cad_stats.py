"""``cad stats``: counts and sizes of a generated dataset, as a table and a picture."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("root", metavar="OUT", help="folder of the dataset")
    parser.add_argument(
        "--to", metavar="DIR", help="folder for statistics.md, .json and .png (default: OUT/stats)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the tables and write them with the picture; exit code 0.

    Raises:
        ValueError: There is no dataset, or it is damaged.
    """
    from procrop.generation.statistics import class_title, dataset_statistics, statistics_text
    from procrop.io import write_json, write_text
    from procrop.visualization.generation_panels import save_generation_panels

    root = Path(args.root)
    folder = Path(args.to) if args.to else root / "stats"
    figures = dataset_statistics(root)
    title = f"{root.resolve().name}: {figures['items']:,} photos"
    text = statistics_text(figures, title)
    print(text, end="")
    write_text(folder / "statistics.md", text)
    write_json(folder / "statistics.json", figures)
    titles = {name: class_title(name) for name in figures["compositions"]}
    save_generation_panels(folder / "statistics.png", title, figures, titles)
    print(f"\nwritten to {folder}")
    return 0
