"""What has been cropped: ``crops.jsonl``, a line for each photo and crop set."""

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from procrop.apis.cropping.plan import place_of, shown

if TYPE_CHECKING:
    from procrop.io import PhotoError

RECORD = "crops.jsonl"
Line = dict[str, Any]


@dataclass(frozen=True)
class PhotoRecord:
    """The lines of one photo, in the order of the crop sets.

    A line is what :meth:`CropResult.to_dict` gives, with ``name``, ``stem`` and ``fingerprint`` of the photo, the
    ``asked_caption``, the ``ratio``, and what was written of each crop.
    """

    lines: tuple[Line, ...]

    @property
    def path(self) -> str:
        return self.lines[0]["path"]

    @property
    def stem(self) -> str:
        return self.lines[0]["stem"]

    @property
    def place(self) -> str:
        """What the photo is recognised by."""
        return place_of(self.path)

    @property
    def ratios(self) -> list[str | None]:
        return [line["ratio"] for line in self.lines]

    @property
    def files(self) -> list[str]:
        """The files of crops and pictures, below the output folder."""
        crops = [crop.get("file") for line in self.lines for crop in line.get("crops", ())]
        pictures = [name for line in self.lines for name in line.get("pictures", {}).values()]
        return [name for name in (*crops, *pictures) if name is not None]

    @property
    def rejections(self) -> list[str]:
        """Why crops are missing, with the remedy, and with the ratio where there are several."""
        several = len({line.get("rejected") for line in self.lines}) > 1
        found = [
            (f"{line['ratio']}: " if several else "") + "; ".join([line["rejected"], *_remedy(line)])
            for line in self.lines
            if "rejected" in line
        ]
        return list(dict.fromkeys(found))

    @property
    def state(self) -> tuple[str | None, str | None]:
        """What the crops were made of: fingerprint of the file, and the caption that was given for it alone."""
        return self.lines[0]["fingerprint"], self.lines[0]["asked_caption"]

    def text(self) -> bytes:
        """The lines as they stand in the file."""
        return b"".join(json.dumps(line, allow_nan=False).encode("ascii") + b"\n" for line in self.lines)


def fingerprint_of(path: str | os.PathLike) -> str | None:
    """A photo file's size and time of change, in one text; None where it is missing or may not be read."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return f"{status.st_size}-{status.st_mtime_ns}" if os.access(path, os.R_OK) else None


def read_record(path: Path, sets: int) -> list[PhotoRecord]:
    """The photos of a record, in its order; the one that a killed run had not written whole is left out.

    Args:
        path: the file; without one there are no photos.
        sets: lines of each photo.

    Raises:
        ValueError: a line is damaged; the message says which.
    """
    raw = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    lines: list[Line] = []
    for number, text in enumerate(raw[:-1], start=1):  # what follows the last newline is not finished
        line = _parsed(text)
        if line is None and number < len(raw) - 1:
            raise ValueError(
                f"{shown(path)}: line {number} is damaged; name another folder, or give --on-exists overwrite"
            )
        if line is not None:
            lines.append(line)
    groups = [tuple(lines[start : start + sets]) for start in range(0, len(lines), sets)]
    return [PhotoRecord(group) for group in groups if len(group) == sets]


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text)
        wanted = ("path", "stem", "fingerprint", "asked_caption", "ratio")
        if not isinstance(line, dict) or not all(name in line for name in wanted):
            return None
        stem = PurePosixPath(line["stem"])  # crops are written there: nowhere but below their folder
        return None if stem.is_absolute() or ".." in stem.parts else line
    except (ValueError, TypeError):
        return None


def title_of(line: Line) -> str:
    """What a line is called in pictures: the photo's place or name, and the ratio."""
    title = line["stem"] if "/" in line["stem"] else Path(line["path"]).name
    return title if line["ratio"] is None else f"{title}  {line['ratio']}"


def _remedy(line: Line) -> list[str]:
    return [line["remedy"]] if line.get("remedy") else []


def rejected_line(path: str, error: "PhotoError") -> Line:
    """A line of a photo without crops, as :meth:`CropResult.to_dict` gives it, with what can be done about it."""
    return {"path": path, "rejected": error.reason, "remedy": error.remedy}
