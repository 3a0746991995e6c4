"""Lists of photos with their composition classes, as KU-PCP labels them: nine classes, one or more for each photo."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..classes import COMPOSITION_CLASSES

_OTHER_NAMES = {"rot": "rule_of_thirds", "center": "centre"}


@dataclass(frozen=True)
class ClassList:
    """What a list holds.

    Attributes:
        paths: Files of the photos, in the list's order.
        labels: (n, 9) bool, columns as in `COMPOSITION_CLASSES`; each row has at least one True.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray


def read_class_list(path: str | os.PathLike, photos: str | os.PathLike) -> ClassList:
    """Read a list of photos and classes.

    The layout of KU-PCP's own files is not known to this project; this one is ours, and easily written from any other.
    UTF-8 text, a line for each photo: its file below ``photos``, a tab, its classes with commas between them. Blank
    lines and lines that start with ``#`` are passed over. Classes are those of `COMPOSITION_CLASSES`; case, blanks and
    hyphens do not matter, and "RoT" and "center" are understood::

        images/0001.jpg<TAB>rule of thirds, horizontal
        images/0002.jpg<TAB>center

    Args:
        path: The list.
        photos: Folder that the files' names start from.

    Raises:
        ValueError: A line is malformed, names an unknown class, a photo twice, or one that is not there; or the list is
            empty. The message names file and line.
    """
    found: dict[Path, np.ndarray] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, tab, classes = line.partition("\t")
        where = f"{path}, line {number}"
        if not tab or not name.strip() or not classes.strip():
            raise ValueError(f"{where}: must be a file, a tab, and classes with commas between them")
        photo = Path(photos) / name.strip()
        if photo in found:
            raise ValueError(f"{where}: {name.strip()} is in the list twice; join its classes in one line")
        if not photo.is_file():
            raise ValueError(f"{where}: {photo} is not there; give the folder that the names start from")
        row = np.zeros(len(COMPOSITION_CLASSES), bool)
        for word in classes.split(","):
            row[_class_number(word, where)] = True
        found[photo] = row
    if not found:
        raise ValueError(f"{path}: lists no photo")
    return ClassList(tuple(found), np.stack(list(found.values())))


def _class_number(word: str, where: str) -> int:
    name = "_".join(word.lower().replace("-", " ").replace("_", " ").split())
    name = _OTHER_NAMES.get(name, name)
    if name not in COMPOSITION_CLASSES:
        raise ValueError(f"{where}: {word.strip()!r} is none of {', '.join(COMPOSITION_CLASSES)}")
    return COMPOSITION_CLASSES.index(name)
