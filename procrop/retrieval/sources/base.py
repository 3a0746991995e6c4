"""What a source of gallery photos is: a list of items below one folder, and a report of what had to be left out."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from ..gallery_format import GalleryItem


class GallerySourceError(ValueError):
    """A source that gives no photo; the message names the file or folder and the remedy."""


class GallerySource(ABC):
    """A list of photos for a gallery.

    Attributes:
        root: The folder that holds all photos; their names in the gallery are relative to it.
        report: What `items` left out: reason -> places ('file:line' or the path that was expected).
    """

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = Path(root)
        self.report: dict[str, list[str]] = {}

    @abstractmethod
    def items(self) -> list[GalleryItem]:
        """The photos in the order of their ids; ``report`` then says what was left out.

        Raises:
            GallerySourceError: The source's files are missing, or no photo is left.
        """

    def leave_out(self, reason: str, place: str | os.PathLike) -> None:
        """Note in the report that something cannot be used."""
        self.report.setdefault(reason, []).append(os.fspath(place))

    def report_lines(self, shown: int = 3) -> list[str]:
        """The report for people: each reason with its count and the first places."""
        lines = []
        for reason, places in self.report.items():
            more = f", and {len(places) - shown} more" if len(places) > shown else ""
            lines.append(f"{len(places)} x {reason}: {', '.join(places[:shown])}{more}")
        return lines

    def check_any(self, items: list[GalleryItem]) -> list[GalleryItem]:
        """Return ``items``, or raise when there are none."""
        if not items:
            reasons = "; ".join(self.report_lines(1)) or "it lists none"
            raise GallerySourceError(f"{type(self).__name__}: no photo to use in {self.root} ({reasons})")
        return items


def read_lines(
    path: Path, what: str, remedy: str = "download it, or name the right folder"
) -> Iterator[tuple[int, str]]:
    """Numbered lines of a text file, without blank ones; what is not UTF-8 is kept as it would be in a file's name.

    Args:
        path: The file.
        what: What it is, for the message.
        remedy: What to do where it is absent, for the message.

    Raises:
        GallerySourceError: It cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise GallerySourceError(f"{path}: {what} cannot be read ({error.strerror}); {remedy}") from error
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip():
            yield number, line


def names_in(folder: Path, what: str) -> set[str]:
    """Names of the files in a folder; asked once instead of once per photo.

    Raises:
        GallerySourceError: It cannot be listed.
    """
    try:
        return {entry.name for entry in os.scandir(folder) if not entry.is_dir()}
    except OSError as error:
        raise GallerySourceError(
            f"{folder}: {what} cannot be listed ({error.strerror}); put them there, or name the right folder"
        ) from error
