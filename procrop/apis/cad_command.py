"""``procrop cad``: look at what came out of making a dataset and of training on it."""

import argparse

from procrop.apis import cad_labels

NAME = "cad"
HELP = "Look at the labels that a model gave to the photos of a weakly annotated dataset."

# each module has add_arguments(parser) and run(args) -> exit code
_ACTIONS = (("labels", cad_labels, "show how pseudo labels changed over their versions"),)


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
        ValueError: A store or an argument that cannot be used.
    """
    return args.run_action(args)
