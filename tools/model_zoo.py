#!/usr/bin/env python
"""Keep the model zoo true: the tables of docs/model_zoo.md, and the figures of a metafile's entry.

    python tools/model_zoo.py page [--check]      # make the tables of the page anew, or see whether they are right
    python tools/model_zoo.py measure PATH...     # SHA-256 and size of weights, archives and folders of galleries

Models are listed and fetched with `procrop models`.
"""

import argparse
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "model_zoo.md"


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="model_zoo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    page = actions.add_parser("page", help="make the tables of docs/model_zoo.md")
    page.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if the page is out of date"
    )
    page.set_defaults(run=write_page)
    measure = actions.add_parser("measure", help="print SHA-256 and size, for a metafile")
    measure.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a file, or the folder of a gallery"
    )
    measure.set_defaults(run=print_figures)
    return parser


def write_page(args: argparse.Namespace) -> int:
    """Make the page's tables of the package's metafile; exit code 1 if they were to be right and are not."""
    from procrop.apis.model_zoo_page import with_tables
    from procrop.io.atomic import write_text
    from procrop.model_zoo.metafile import read_package_zoo

    old = PAGE.read_text(encoding="utf-8")
    new = with_tables(old, read_package_zoo())
    if args.check:
        if new != old:
            print(f"{PAGE}: out of date; run python tools/model_zoo.py page", file=sys.stderr)
        return int(new != old)
    write_text(PAGE, new)
    return 0


def print_figures(args: argparse.Namespace) -> int:
    """Print what a metafile says of each path."""
    from procrop.apis.model_zoo_page import measured

    for path in args.paths:
        print(f"# {path}\n{measured(path)}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
