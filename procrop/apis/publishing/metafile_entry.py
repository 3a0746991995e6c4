"""The entry of a published model in a metafile."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from procrop.apis.model_zoo_page import measured

from .publish import GALLERY, Published

_MODEL = "  - Name: "


@dataclass(frozen=True)
class EntryWords:
    """What an entry says that is not measured.

    Attributes:
        name: the model's name.
        collection: its family.
        config: its config in the sources.
        licence: of the weights.
        training_data: names of the data that it was trained on.
        source: where the gallery's photos come from.
    """

    name: str
    collection: str
    config: str
    licence: str
    training_data: tuple[str, ...]
    source: str


def with_entry(metafile: str, words: EntryWords, published: Published) -> str:
    """The text of a metafile with the entry of a published model.

    An entry that is there keeps what people wrote into it; hashes, sizes, counts and the photos' licences are set.
    Without one, a new entry comes first.

    Args:
        metafile: its text.
        words: what the entry says beyond figures.
        published: what was measured.

    Raises:
        ValueError: The text has no line ``Models:``.
    """
    figures = {
        "weights": _figures(measured(published.weights)),
        "gallery": _figures(measured(published.gallery)) | {"Photos": str(published.photos)},
    }
    lines = metafile.splitlines()
    start = f"{_MODEL}{words.name}"
    if start in lines:
        first = lines.index(start)
        figures["weights"]["Parameters"] = str(published.parameters)
        figures["gallery"]["License"] = published.licences
        block = list(_updated(lines[first:], figures))
        return "\n".join([*lines[:first], *block]) + "\n"
    heads = [number for number, line in enumerate(lines) if re.fullmatch(r"Models:( \[\])?", line)]
    if len(heads) != 1:
        raise ValueError("the metafile has no line 'Models:' to put the entry below")
    entry = _entry(words, published, figures)
    rest = lines[heads[0] + 1 :]
    return "\n".join([*lines[: heads[0]], "Models:", *entry, *rest]) + "\n"


def _figures(text: str) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in text.splitlines())
    return {key: value.replace("'", '"') for key, value in pairs if key != "Folder"}


def _updated(lines: list[str], figures: dict[str, dict[str, str]]) -> Iterator[str]:
    """The lines from an entry's first to the file's last, with the figures of the entry set."""
    part, inside = "weights", True
    for number, line in enumerate(lines):
        inside = inside and not (number and (line.startswith(_MODEL) or re.match(r"\S", line)))
        key = line.strip().partition(":")[0]
        if inside and key == "Gallery":
            part = "gallery"
        if inside and key in figures[part]:
            line = f"{line[: len(line) - len(line.lstrip())]}{key}: {figures[part][key]}"
        yield line


def _entry(words: EntryWords, published: Published, figures: dict[str, dict[str, str]]) -> list[str]:
    place = f"package:weights/{words.name}"
    data = ", ".join(words.training_data)
    return [
        f"{_MODEL}{words.name}",
        f"    In Collection: {words.collection}",
        f"    Config: {words.config}",
        "    Metadata:",
        f"      Training Data: [{data}]",
        f"      Parameters: {published.parameters}",
        f"    README: procrop/model_zoo/weights/{words.name}/README.md",
        f"    Weights: {place}/{published.weights.name}",
        *(f"    {key}: {value}" for key, value in figures["weights"].items()),
        f"    License: {words.licence}",
        "    Gallery:",
        f"      Location: {place}/{GALLERY}",
        *(f"      {key}: {value}" for key, value in figures["gallery"].items()),
        f"      License: {published.licences}",
        f"      Source: {words.source}",
    ]
