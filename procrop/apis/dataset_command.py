"""``procrop datasets``: look at, check, convert and show datasets of annotated crops."""

import argparse

from procrop.apis import dataset_check, dataset_convert, dataset_info, dataset_show
from procrop.datasets.formats import FORMATS
from procrop.datasets.formats.spec import SYNTAX

NAME = "datasets"
HELP = "Look at, check, convert and show datasets of annotated crops."

_DATASET = (
    f"{SYNTAX}, e.g. flms:data/flms or gaicv2:data/gaicv2:test; without a split all of it is taken. "
    f"Formats: {', '.join(sorted(FORMATS))}"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their arguments."""
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for name, module, text in (
        ("info", dataset_info, "counts, scores, sizes and shapes of the crops; as text, JSON and a picture"),
        ("check", dataset_check, "list everything that cannot be used, and photos that are in a gallery too"),
        ("convert", dataset_convert, "write a dataset in another format, and say what was lost"),
        ("show", dataset_show, "draw photos with their crops: a page for the browser, or pictures"),
    ):
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.add_argument("dataset", metavar=SYNTAX, help=_DATASET)
        module.add_arguments(sub)
        sub.set_defaults(run_action=module.run)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        ValueError: A dataset, a gallery or an argument that cannot be used.
    """
    return args.run_action(args)
