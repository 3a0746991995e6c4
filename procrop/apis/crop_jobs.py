"""Which photos the crop command crops, and how their crops are named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MAX_STEM = 180  # bytes; leaves room for rank and suffix within the usual limit of 255


@dataclass(frozen=True)
class CropJob:
    """A photo to crop.

    Attributes:
        path: its file.
        name: its place below the input folder, with "/" and its suffix; a file's own name where the file was named.
        stem: where its crops go: ``crops/<stem>_<rank>.jpg``; unique among all jobs, also in upper and lower case.
        caption: what its crops are to show, or None.
    """

    path: Path
    name: str
    stem: str
    caption: str | None = None


def plan_jobs(inputs: Sequence[str | os.PathLike], out: Path) -> list[CropJob]:
    """List the photos of files and folders, each once, with names for their crops that never collide.

    A folder's tree is mirrored below ``out/crops``. Photos in ``out`` are no input when ``out`` lies in the folder.
    A named file is taken whatever its suffix, even if it is missing: it will be rejected when it is read.

    Raises:
        PhotoError: a folder holds no photo.
    """
    from procrop.io import list_photos

    taken: set[str] = set()
    seen: set[str] = set()
    jobs = []
    for name in inputs:
        root = Path(name)
        around = not lies_in(root, out)  # else its photos were put there on purpose
        found = [(path, path.relative_to(root)) for path in list_photos(root)] if root.is_dir() else []
        for path, relative in found or [(root, Path(root.name))]:
            real = os.path.abspath(path)
            if real in seen or (found and around and lies_in(path, out)):
                continue
            seen.add(real)
            jobs.append(CropJob(path, relative.as_posix(), _free_stem(relative, taken)))
    if not jobs:
        raise ValueError(f"all photos of the input lie in {out}, the folder for the crops; nothing is left")
    return jobs


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or below it, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _free_stem(relative: Path, taken: set[str]) -> str:
    """Take the photo's own name without suffix; where that is gone, with suffix, then numbered."""
    folder = relative.parent.as_posix()
    prefix = "" if folder == "." else f"{folder}/"
    candidates = [relative.stem, relative.name]
    for name in candidates:
        stem = prefix + _short(name)
        if stem.casefold() not in taken:
            break
    else:
        number = 2
        while f"{prefix}{_short(relative.name)}~{number}".casefold() in taken:
            number += 1
        stem = f"{prefix}{_short(relative.name)}~{number}"
    taken.add(stem.casefold())
    return stem


def _short(name: str) -> str:
    """Cut a name that would be too long with rank and suffix; whole characters stay whole."""
    raw = os.fsencode(name)
    return name if len(raw) <= _MAX_STEM else raw[:_MAX_STEM].decode("utf-8", "ignore")
