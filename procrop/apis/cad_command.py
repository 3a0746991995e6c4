"""``procrop cad``: make a dataset from professional photos; look at it, and at what training made of its labels."""

import argparse

from procrop.apis import cad_generate, cad_labels, cad_show, cad_stats

NAME = "cad"
HELP = "Make a weakly annotated crop dataset from professional photos, and look at it."

# each module has add_arguments(parser) and run(args) -> exit code
_ACTIONS = (
    ("generate", cad_generate, "make a dataset as a config says, or go on with it"),
    ("stats", cad_stats, "count compositions, sizes and what was left out; tables and a picture"),
    (
        "show",
        cad_show,
        "draw expanded photos with known area and initial crops: a page for the browser, or pictures",
    ),
    ("labels", cad_labels, "show how pseudo labels changed over their versions"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their arguments."""
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for name, module, text in _ACTIONS:
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        module.add_arguments(sub)
        sub.set_defaults(run_action=module.run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        ValueError: A config, a dataset, a store or an argument that cannot be used.
    """
    return args.run_action(args)
