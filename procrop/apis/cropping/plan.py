"""Which photos are cropped, and how their crops are named."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from procrop.apis.cropping.inputs import FoundPhoto
from procrop.apis.cropping.naming import CropNames

CROPS = "crops"


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

    @property
    def place(self) -> str:
        """What the photo is recognised by in a later run."""
        return place_of(self.path)


def plan_jobs(
    photos: Iterable[FoundPhoto], out: Path, recorded: Mapping[str, str] | None = None
) -> list[CropJob]:
    """Give photos names for their crops.

    A folder's tree is mirrored below ``out/crops``. Photos in ``out`` are no input when ``out`` lies in the folder.

    Args:
        photos: what was found.
        out: folder for the crops.
        recorded: place (:func:`place_of`) -> stem of photos that were cropped into ``out`` before.

    Raises:
        ValueError: all photos lie in ``out``, or ``out`` is where they are read.
    """
    recorded = recorded or {}
    names, jobs = CropNames(recorded.values()), []
    around: dict[Path, bool] = {}
    for photo in photos:
        folder = photo.root or photo.path.parent
        if folder not in around:
            check_apart(folder, out, photo.root is not None)
            around[folder] = photo.root is not None and not lies_in(folder, out)
        if around[folder] and lies_in(photo.path, out):
            continue
        stem = recorded.get(place_of(photo.path)) or names.take(photo.relative)
        jobs.append(CropJob(photo.path, photo.relative.as_posix(), stem))
    if not jobs:
        raise ValueError(f"all photos of the input lie in {out}, the folder for the crops; nothing is left")
    return jobs


def check_apart(folder: Path, out: Path, searched: bool) -> None:
    """Raise a ValueError where crops would be written among the photos of a folder, so that they become photos."""
    if searched and os.path.realpath(folder) == os.path.realpath(out):
        raise ValueError(f"--out {shown(out)} is the input folder too; name another folder")
    if lies_in(folder, out / CROPS):
        raise ValueError(
            f"{shown(folder)} lies where --out {shown(out)} writes its crops; name another folder"
        )


def place_of(path: str | os.PathLike) -> str:
    """What a photo is recognised by in a later run."""
    return os.path.abspath(path)


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or below it, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def shown(path: str | os.PathLike) -> str:
    """A path that any terminal can print."""
    return os.fsencode(path).decode("utf-8", "replace").replace("\n", "?")
