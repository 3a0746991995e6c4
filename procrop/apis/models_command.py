"""``procrop models``: which trained models there are, and how they come to this machine."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from procrop.model_zoo import ModelEntry, ModelZoo, PublishedFile

NAME = "models"
HELP = "List trained models, download them, and print where they are."

_MODEL = "name of a model of `procrop models list`"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their arguments."""
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")

    def add(name: str, run: Any, text: str) -> argparse.ArgumentParser:  # noqa: ANN401
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.add_argument(
            "--metafile", metavar="FILE", help="metafile of your own models (default: PROCROP_METAFILE)"
        )
        sub.set_defaults(run_action=run)
        return sub

    lists = add("list", _list, "show all models, and the configs without published weights")
    lists.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write all of it into this file (default: print it)",
    )
    fetches = add(
        "download", _download, "download models, weights and gallery; broken transfers are taken up again"
    )
    fetches.add_argument("models", nargs="+", metavar="MODEL", help=_MODEL)
    fetches.add_argument(
        "--to", metavar="DIR", help="put the files as they are published into DIR/MODEL, to serve as a mirror"
    )
    path = add("path", _path, "print where a model's weights are on this machine")
    path.add_argument("model", metavar="MODEL", help=_MODEL)
    path.add_argument("--gallery", action="store_true", help="print the folder of its gallery instead")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        ValueError: There is no such model, or a file cannot be fetched, or is not the one that was published.
    """
    return args.run_action(args)


def _list(args: argparse.Namespace) -> int:
    from procrop.io.atomic import write_json
    from procrop.model_zoo import read_zoo

    zoo = read_zoo(args.metafile)
    if args.json is None:
        print("\n".join(table_lines(zoo)))
    elif args.json == "-":
        print(json.dumps(_plain(zoo), indent=2, allow_nan=False))
    else:
        write_json(args.json, _plain(zoo))
    return 0


def _download(args: argparse.Namespace) -> int:
    from procrop.model_zoo import read_zoo
    from procrop.model_zoo.download import fetch, obtain
    from procrop.model_zoo.locations import local_file, stored_in

    zoo = read_zoo(args.metafile)
    models = [zoo.model(name) for name in dict.fromkeys(args.models)]
    for file in [file for model in models for file in model.files]:
        if args.to is not None and local_file(file) is None:
            path = stored_in(Path(args.to), file)
            fetch(file, path)
        else:
            path = obtain(file)
        print(f"{file.model}: {file.what}: {path}", flush=True)
    return 0


def _path(args: argparse.Namespace) -> int:
    from procrop.model_zoo import read_zoo, resolve_gallery
    from procrop.model_zoo.download import obtain

    zoo = read_zoo(args.metafile)
    model = zoo.model(args.model)
    print(resolve_gallery(model.name, False, zoo) if args.gallery else obtain(model.weights, download=False))
    return 0


def table_lines(zoo: "ModelZoo") -> list[str]:
    """The table as lines of text: what can be had, then the configs without published weights."""
    if zoo.models:
        head = ["MODEL", "WEIGHTS", "GALLERY", "LICENCE", "TRAINED ON"]
        lines = _table([head, *(_row(model) for model in zoo.models.values())])
    else:
        lines = ["No trained weights are published yet."]
    rows = [[recipe.name, ", ".join(recipe.training_data), recipe.config] for recipe in zoo.recipes.values()]
    if rows:
        lines += ["", "No weights are published of these configs; docs/model_zoo.md tells how to train them:"]
        lines += _table([["CONFIG", "TRAINED ON", "FILE"], *rows])
    return lines


def _row(model: "ModelEntry") -> list[str]:
    gallery = "none" if model.gallery is None else _state(model.gallery)
    licences = dict.fromkeys(file.license for file in model.files)
    return [model.name, _state(model.weights), gallery, ", ".join(licences), ", ".join(model.training_data)]


def _state(file: "PublishedFile") -> str:
    """Size, and whether the file has to be fetched."""
    from procrop.model_zoo.download import is_here
    from procrop.model_zoo.locations import local_file

    place = "here" if is_here(file) else "to download" if local_file(file) is None else "missing"
    return f"{megabytes(file.size)}, {place}"


def megabytes(size: int) -> str:
    """A size for people: "0.3 MB", "12 MB"."""
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _plain(zoo: "ModelZoo") -> dict[str, Any]:
    from dataclasses import asdict

    from procrop.model_zoo.download import is_here

    models = []
    for model in zoo.models.values():
        plain = asdict(model)
        for file in model.files:
            plain[file.what] |= dict(metafile=str(file.metafile), here=is_here(file))
        models.append(plain)
    return dict(models=models, recipes=[asdict(recipe) for recipe in zoo.recipes.values()])
