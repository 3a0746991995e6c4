"""``procrop completion``: a script that makes a shell complete commands, options, values and file names."""

import argparse
import re
from collections.abc import Iterator

NAME = "completion"
HELP = "Print a script that completes commands, options and file names in your shell."

_SHELLS = ("bash", "zsh", "tcsh", "fish")
# words of a metavar that tell what the value names
_FILE_WORDS = {"CHECKPOINT", "CONFIG", "FILE", "PATH", "PHOTO"}
_FOLDER_WORDS = {"DIR", "FOLDER", "OUT", "ROOT", "STORE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "shell",
        choices=_SHELLS,
        metavar="SHELL",
        help=f"{', '.join(_SHELLS)}; docs/getting_started.md: where it goes",
    )


def run(args: argparse.Namespace) -> int:
    """Print the script; exit code 0.

    Raises:
        ValueError: The installed shtab does not know the shell.
    """
    import shtab

    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise ValueError(f"shtab {shtab.__version__} knows no {args.shell}; pip install -U shtab")
    from procrop.apis.cli import make_parser

    parser = make_parser("procrop")
    for action in all_actions(parser):
        kind = value_kind(action)
        if kind is not None:
            action.complete = shtab.FILE if kind == "file" else shtab.DIRECTORY
    print(shtab.complete(parser, shell=args.shell))
    return 0


def all_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of a parser and of its sub-commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from all_actions(sub)
        else:
            yield action


def value_kind(action: argparse.Action) -> str | None:
    """ "file" or "folder", as an argument's metavar says; None for one that names neither."""
    if action.nargs == 0 or action.choices is not None or not isinstance(action.metavar, str):
        return None
    words = set(re.findall(r"[A-Z]+", action.metavar))
    if words & _FILE_WORDS:
        return "file"
    return "folder" if words & _FOLDER_WORDS else None
