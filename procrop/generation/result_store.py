"""Results of steps that are worth keeping: one JSON file each, with pictures and arrays beside it."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from procrop.io.atomic import write_bytes, write_json
from procrop.io.manifest import sha256_file

from .analysis import CompositionAnalysis
from .canvas_plan import CanvasPlan

# fields that go into the JSON file itself: how they are written, and read again
_PLAIN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "analysis": (CompositionAnalysis.as_dict, CompositionAnalysis.from_dict),
    "canvas": (
        lambda plan: [plan.width, plan.height, list(plan.known)],
        lambda v: CanvasPlan(v[0], v[1], tuple(v[2])),
    ),
    "quality": (lambda v: {k: float(f) for k, f in v.items()}, dict),
    "composition": (str, str),
    "crops": (np.ndarray.tolist, lambda v: np.array(v, np.float64).reshape(-1, 4)),
}
_PICTURES, _ARRAYS = ("image", "photo"), ("masks",)


@dataclass(frozen=True)
class KeptResult:
    """What a step made of an item, or why it dropped it.

    Attributes:
        fields: Field -> value.
        dropped: The reason, or None.
        drew: Whether it drew from its random generator.
        again: Whether it is to be asked again next time; such a result is not kept.
    """

    fields: Mapping[str, Any]
    dropped: str | None = None
    drew: bool = False
    again: bool = False


class ResultStore:
    """Kept results of one step in a folder.

    Each result carries what it was made from; it counts only for whoever asks with the same. A result is replaced when
    it is made from something else. A JSON file is written last, after the files that it names with their SHA-256.

    Args:
        folder: Made with the first result.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, made_from: Mapping[str, Any], draw: object) -> KeptResult | None:
        """The result under ``key``, if it is whole and was made from the same.

        Args:
            key: Name of the item or source photo.
            made_from: JSON values that the result hangs on.
            draw: What random numbers hung on; counts when some were drawn.
        """
        try:
            entry = json.loads((self._folder_of(key) / f"{key}.json").read_bytes())
            if entry["from"] != made_from or entry["draw"] not in (None, draw):
                return None
            return self._read(key, entry)
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None  # absent or damaged: it is made again

    def put(self, key: str, made_from: Mapping[str, Any], draw: object, result: KeptResult) -> None:
        """Keep a result."""
        folder, entry = self._folder_of(key), {"from": made_from, "draw": draw if result.drew else None}
        plain, files = {}, {}
        for name, value in result.fields.items():
            if value is None or name in _PLAIN:
                plain[name] = None if value is None else _PLAIN[name][0](value)
                continue
            suffix, data = _encode(name, value)
            path = folder / f"{key}.{name}.{suffix}"
            write_bytes(path, data)
            files[name] = {"file": path.name, "sha256": sha256_file(path)}
        write_json(
            folder / f"{key}.json", {**entry, "fields": plain, "files": files, "dropped": result.dropped}
        )

    def _folder_of(self, key: str) -> Path:
        return self.folder / folder_of(key)

    def _read(self, key: str, entry: Mapping[str, Any]) -> KeptResult | None:
        fields = {
            name: None if value is None else _PLAIN[name][1](value) for name, value in entry["fields"].items()
        }
        for name, file in entry["files"].items():
            path = self._folder_of(key) / file["file"]
            if sha256_file(path) != file["sha256"]:
                return None
            fields[name] = _decode(name, path)
        return KeptResult(fields, entry["dropped"], entry["draw"] is not None)


def folder_of(key: str) -> str:
    """One of 256 folders, so that none holds too many files."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:2]


def _encode(name: str, value: np.ndarray) -> tuple[str, bytes]:
    """(suffix, content) of the file of a picture or an array; nothing is lost."""
    buffer = io.BytesIO()
    if name in _PICTURES:
        Image.fromarray(value).save(buffer, "PNG", compress_level=4)
        return "png", buffer.getvalue()
    if name in _ARRAYS:
        np.savez_compressed(buffer, value=value)
        return "npz", buffer.getvalue()
    raise ValueError(f"a step that makes `{name}` cannot be kept: there is no file format for it")


def _decode(name: str, path: Path) -> np.ndarray:
    if name in _PICTURES:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["value"]
