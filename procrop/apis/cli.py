"""The command ``procrop``: one sub-command for each thing to do. Heavy packages wait until a sub-command runs."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

from procrop import __version__
from procrop.apis import (
    cad_command,
    completion_command,
    dataset_command,
    demo_command,
    export_command,
    gallery_command,
    models_command,
)
from procrop.apis.cropping import command as crop_command

# each module has NAME, HELP, add_arguments(parser) and run(args) -> exit code
_COMMANDS = (
    crop_command,
    demo_command,
    gallery_command,
    models_command,
    dataset_command,
    cad_command,
    export_command,
    completion_command,
)


def main(argv: Sequence[str] | None = None, prog: str = "procrop") -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; those of this process by default.
        prog: name to show in messages.

    Returns:
        Exit code: 0 done, 1 done but some inputs were rejected, 2 usage, 130 interrupted.
    """
    parser = make_parser(prog)
    return run_guarded(parser, parser.parse_args(argv))


def make_parser(prog: str = "procrop") -> argparse.ArgumentParser:
    """The whole command line; nothing heavy is imported for it.

    Args:
        prog: name to show in messages.

    Returns:
        The parser; what it parses has ``run``, a function of it that returns an exit code.
    """
    parser = argparse.ArgumentParser(prog=prog, description="Retrieval-augmented aesthetic image cropping.")
    parser.add_argument("--version", action="version", version=f"procrop {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for command in _COMMANDS:
        sub = commands.add_parser(command.NAME, help=command.HELP, description=command.HELP)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def each_command(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """The words that lead to a parser, and the parser: itself with none, then its sub-commands and theirs."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from each_command(sub, (*words, name))


def tool_main(command: ModuleType, argv: Sequence[str] | None = None) -> int:
    """Run one sub-command as a program of its own (``tools/<name>.py``); exit codes as in :func:`main`."""
    parser = argparse.ArgumentParser(description=command.HELP)
    command.add_arguments(parser)
    parser.set_defaults(run=command.run)
    return run_guarded(parser, parser.parse_args(argv))


def run_guarded(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Run a parsed command; what a user can get wrong, a full disk included, becomes one line and exit code 2."""
    try:
        code = args.run(args)
        if sys.stdout is not None:  # it is None where the shell closed it (>&-)
            sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except (ValueError, ImportError, OSError) as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
