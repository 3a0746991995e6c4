"""A list of photos in a file."""

import json
import os
from pathlib import Path

import numpy as np

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from .base import GallerySource, read_lines
from .credits import CREDIT_KEYS, credit_of

_KEYS = ("path", "source_id", "crops", "scores", *CREDIT_KEYS)


@GALLERY_SOURCES.register_module()
class FileListSource(GallerySource):
    """Photos that a file lists, in its order.

    A text file has one path a line. A file whose name ends in ``.jsonl`` has a JSON object a line: ``path``, and
    optionally ``source_id`` (photos of one source are never references for each other), ``crops`` (c boxes
    ``[x1, y1, x2, y2]`` in pixels of the upright photo), ``scores`` (c numbers), and ``licence``, ``title``,
    ``author``, ``url`` (texts). Blank lines are passed over; a line that cannot be used is left out and reported.
    Whether a photo can be read shows when the gallery is built.

    Args:
        path: The list.
        root: Folder that the paths are relative to and that holds all photos; None is the list's folder.
    """

    def __init__(self, path: str | os.PathLike, root: str | os.PathLike | None = None) -> None:
        self.path = Path(path)
        super().__init__(self.path.parent if root is None else root)

    def items(self) -> list[GalleryItem]:
        self.report = {}
        found: dict[str, GalleryItem] = {}
        base = os.path.abspath(self.root)
        for number, line in read_lines(self.path, "the list of photos"):
            place = f"{self.path}:{number}"
            try:
                item = self._item(line)
            except ValueError as error:
                self.leave_out(str(error), place)
                continue
            target = os.path.abspath(os.path.join(base, item.path))
            if not target.startswith(os.path.join(base, "")):
                self.leave_out(f"photo outside {self.root}", place)
            elif target in found:
                self.leave_out("photo listed twice", place)
            else:
                item.path = target
                found[target] = item
        return self.check_any(list(found.values()))

    def _item(self, line: str) -> GalleryItem:
        """The photo of a line, its path as listed.

        Raises:
            ValueError: With the reason why there is none.
        """
        if self.path.suffix.lower() != ".jsonl":
            return GalleryItem(line)
        try:
            entry = json.loads(line)
        except ValueError:
            raise ValueError("not a line of JSON") from None
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str) or not entry["path"]:
            raise ValueError("no 'path'")
        if unknown := sorted(set(entry) - set(_KEYS)):
            raise ValueError(f"unknown key {unknown[0]!r} (known: {', '.join(_KEYS)})")
        if not isinstance(entry.get("source_id"), str | None):
            raise ValueError("'source_id' is not a string")
        credit = credit_of(entry)
        if entry.get("crops") is None:
            return GalleryItem(entry["path"], entry.get("source_id"), credit=credit)
        crops, scores = _array(entry["crops"]), _array(entry.get("scores", []))
        if crops.ndim != 2 or crops.shape[1] != 4 or scores.shape != crops.shape[:1]:
            raise ValueError("'crops' are not boxes [x1, y1, x2, y2] with one of 'scores' each")
        return GalleryItem(entry["path"], entry.get("source_id"), crops, scores, credit)


def _array(values: object) -> np.ndarray:
    try:
        array = np.array(values, np.float64)
    except (ValueError, TypeError):
        array = np.array(np.nan)
    return array if np.isfinite(array).all() else np.array(np.nan)
