"""The option ``--import``: modules that register components of a user's own."""

import argparse
import importlib


def add_import_option(parser: argparse._ActionsContainer, what: str) -> None:
    """Add ``--import``, which may be repeated; ``what`` says what a module is for."""
    parser.add_argument("--import", dest="modules", action="append", default=[], metavar="MODULE", help=what)


def import_own_modules(args: argparse.Namespace) -> None:
    """Import what ``--import`` named, in that order."""
    for module in args.modules:
        importlib.import_module(module)
