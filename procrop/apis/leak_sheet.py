"""Pairs of photos that a check took for one picture, side by side for a person to judge."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from procrop.io import PhotoError, read_photo
from procrop.visualization.crop_overlay import scale_to_fit
from procrop.visualization.html_sheet import Card, write_html_sheet
from procrop.visualization.paged_sheet import ABSENT, PAPER

if TYPE_CHECKING:
    from procrop.datasets.checks import Leak, PhotoList

_ROOM, _GAP = (230, 230), 8


def write_leak_sheet(
    path: str | os.PathLike,
    title: str,
    mine: "PhotoList",
    leaks: "Mapping[str, Sequence[Leak]]",
    others: "Mapping[str, PhotoList]",
) -> int:
    """Draw each pair of a check as a card of an HTML file.

    Args:
        path: The .html file.
        title: Heading.
        mine: The photos that were checked.
        leaks: What they were compared with -> pairs, as in the report of ``check_dataset``.
        others: Photos of each of these; what is not in it are ``mine`` themselves.

    Returns:
        How many pairs there were.
    """
    pairs = sum(map(len, leaks.values()))
    note = f"{pairs:,} pairs; the checked photo is on the left"
    return write_html_sheet(path, title, note, _cards(mine, leaks, others))


def _cards(
    mine: "PhotoList", leaks: "Mapping[str, Sequence[Leak]]", others: "Mapping[str, PhotoList]"
) -> Iterator[Card]:
    own = dict(zip(mine.names, mine.paths, strict=True))
    for where, found in leaks.items():
        other = others.get(where, mine)
        paths = dict(zip(other.names, other.paths, strict=True))
        place = "in the dataset twice" if where == "itself" else f"in {where}"
        for leak in found:
            likeness = "" if leak.correlation is None else f", likeness {leak.correlation:.3f}"
            lines = (f"= {leak.other}", f"{place}: {leak.how}{likeness}")
            yield Card(leak.photo, _side_by_side([own[leak.photo], paths[leak.other]]), lines)


def _side_by_side(paths: Iterable[Path]) -> np.ndarray:
    pictures = [_small(path) for path in paths]
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), PAPER)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + _GAP
    return np.asarray(sheet)


def _small(path: Path) -> Image.Image:
    try:
        return scale_to_fit(read_photo(path), _ROOM)
    except PhotoError:
        return Image.new("RGB", _ROOM, ABSENT)
