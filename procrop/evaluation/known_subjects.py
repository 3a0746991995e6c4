"""Photos of which a person has said what must not be cut, one JSON object a line.

    {"dataset": "bsds500", "file": "test/15062.jpg", "size": [481, 321], "what": "man",
     "subject": [139, 0, 400, 321], "head": [173, 0, 366, 232]}

``file`` is relative to the folder of ``dataset``. Boxes are ``x1 y1 x2 y2`` in pixels of the upright photo of that
``size``. ``head`` may be left out.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PARTS = ("subject", "head")


@dataclass(frozen=True)
class KnownSubject:
    """A photo's main subject.

    Attributes:
        dataset: name of the collection.
        file: relative to the collection's folder.
        size: (width, height) of the upright photo.
        what: the subject, in words.
        subject: ``xyxy`` pixels inside the photo.
        head: of a person or an animal, the same; None where there is none or it is not clear.
    """

    dataset: str
    file: str
    size: tuple[int, int]
    what: str
    subject: tuple[float, ...]
    head: tuple[float, ...] | None = None

    def box(self, part: str) -> tuple[float, ...] | None:
        """The box of one of PARTS."""
        return getattr(self, part)


def read_known_subjects(path: str | os.PathLike, datasets: Sequence[str] | None = None) -> list[KnownSubject]:
    """Read a file of known subjects.

    Args:
        path: the file.
        datasets: only the photos of these; None reads all.

    Returns:
        The photos in the order of the file.

    Raises:
        ValueError: The file cannot be read, a line of it cannot be used, a photo is listed twice, or there is none.
    """
    name = os.fspath(path)
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}: the subjects cannot be read ({error})") from error
    found: dict[tuple[str, str], KnownSubject] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            known = _parse(json.loads(line))
            if (known.dataset, known.file) in found:
                raise ValueError(f"{known.dataset} {known.file} is listed before; take one of both lines out")
        except ValueError as error:
            raise ValueError(f"{name}:{number}: {error}") from error
        found[known.dataset, known.file] = known
    present = list(dict.fromkeys(dataset for dataset, _ in found))
    for dataset in datasets or ():
        if dataset not in present:
            raise ValueError(
                f"{name}: no photo of {dataset!r}; there are {', '.join(present) or 'none at all'}"
            )
    if not found:
        raise ValueError(f"{name}: no line; each one names a photo and the box of its subject")
    return [known for known in found.values() if datasets is None or known.dataset in datasets]


def _parse(entry: Any) -> KnownSubject:  # noqa: ANN401
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    words = [entry.get(key) for key in ("dataset", "file", "what")]
    if not all(isinstance(word, str) and word for word in words):
        raise ValueError("'dataset', 'file' and 'what' must be words")
    size = entry.get("size")
    if not (_numbers(size, 2) and all(side == int(side) > 0 for side in size)):
        raise ValueError("'size' is not [width, height] in whole pixels")
    boxes = []
    for part in PARTS:
        box = entry.get(part)
        if box is None and part == "head":
            continue
        inside = _numbers(box, 4) and 0 <= box[0] < box[2] <= size[0] and 0 <= box[1] < box[3] <= size[1]
        if not inside:
            raise ValueError(f"'{part}' is not [x1, y1, x2, y2] with an area inside the photo of {size}")
        boxes.append(tuple(float(edge) for edge in box))
    dataset, file, what = words
    return KnownSubject(dataset, file, (int(size[0]), int(size[1])), what, *boxes)


def _numbers(values: Any, count: int) -> bool:  # noqa: ANN401
    return isinstance(values, list) and len(values) == count and all(type(v) in (int, float) for v in values)
