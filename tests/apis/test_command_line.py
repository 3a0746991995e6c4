"""What all sub-commands share: a quick help, the version, the same words for the same option."""

import argparse
import subprocess
import sys
from collections import defaultdict

import pytest
from light_start import HEAVY, ROOT, modules_after_help

from procrop import __version__
from procrop.apis.cli import each_command, main, make_parser
from procrop.apis.completion_command import value_kind

COMMANDS = dict(each_command(make_parser()))


def test_the_commands_are_those_that_are_documented():
    assert {
        ("crop",),
        ("datasets", "info"),
        ("cad", "generate"),
        ("models", "download"),
        ("completion",),
    } <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_imports_nothing_heavy(words):
    argv = ["procrop", *words, "--help"]
    modules = modules_after_help(f"sys.argv = {argv}\nfrom procrop.apis.cli import main\nmain()")
    assert "procrop" in modules and not modules & HEAVY


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_argument_is_explained(words):
    for action in COMMANDS[words]._actions:
        if not isinstance(action, argparse._SubParsersAction):
            assert action.help, action
            COMMANDS[words]._get_formatter()._expand_help(action)  # an error for a stray "%"
    assert len(COMMANDS[words].format_help()) > 100


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"procrop {__version__}\n"


def test_the_installed_command_is_this_one():
    done = subprocess.run(
        [sys.executable, "-c", "from procrop.apis.cli import main; raise SystemExit(main())", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"procrop {__version__}\n"


# options that mean one thing wherever they are
SHARED = (
    "--checkpoint",
    "--device",
    "--ids",
    "--import",
    "--metafile",
    "--query-encoder",
    "--replace",
    "--seed",
)


def test_shared_options_have_the_same_words_everywhere():
    told = defaultdict(dict)
    for words, parser in COMMANDS.items():
        for action in parser._actions:
            for option in set(action.option_strings) & set(SHARED):
                told[option][" ".join(words)] = (action.metavar, action.help.split(" (default")[0])
    assert {"--seed", "--replace"} <= set(told)
    assert {option: said for option, said in told.items() if len(set(said.values())) > 1} == {}


def test_paths_are_told_from_other_values():
    kinds = {
        (action.option_strings or [action.dest])[-1]: value_kind(action)
        for words in (
            ("crop",),
            ("datasets", "info"),
            ("cad", "generate"),
            ("cad", "labels"),
            ("models", "download"),
        )
        for action in COMMANDS[words]._actions
    }
    assert kinds["--checkpoint"] == kinds["--json"] == kinds["config"] == kinds["--metafile"] == "file"
    assert kinds["--gallery"] == kinds["--to"] == kinds["store"] == "folder"
    assert kinds["--top-k"] is kinds["--limit"] is kinds["--no-headers"] is kinds["models"] is None
