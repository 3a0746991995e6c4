"""Names of crops that never collide, on file systems that know upper from lower case or do not."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_MAX_STEM = 180  # bytes; leaves room for what is put behind it within the usual limit of 255
# how the files of a stem end: rank or kind of picture, and suffix
_OF_A_STEM = re.compile(
    r"(?P<stem>.+)_(?:\d+|overlay|explained)\.(?:jpe?g|png|webp|tiff?)", re.IGNORECASE | re.S
)


def stem_of(name: str) -> str | None:
    """The stem of a crop's or a picture's file, with "/"; None where the name is not of that form."""
    match = _OF_A_STEM.fullmatch(name)
    return None if match is None else match["stem"]


class CropNames:
    """Gives each photo a stem: the place of its crops below ``crops/``, without rank and suffix.

    A stem is the photo's own place without its suffix; where that is taken, with the suffix, then numbered. Two stems
    differ by more than case or Unicode form, and no folder is called as a crop is.

    Args:
        taken: stems that are in use already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._stems: set[str] = set()
        self._of_folders: set[str] = set()
        for stem in taken:
            self._stems.add(_key(stem))
            folder = ""
            for part in PurePosixPath(stem).parts[:-1]:
                folder = self._note_folder(folder + part)

    def take(self, relative: Path) -> str:
        """The stem of a photo, from its place below the folder that it was found in."""
        folder = ""
        for part in relative.parent.parts:
            folder = self._note_folder(folder + self._free_folder(folder, part))
        candidates = [relative.stem, relative.name]
        name = next((name for name in map(_short, candidates) if self._is_free(folder + name)), None)
        if name is None:
            numbered, number = _short(relative.name), 2
            while not self._is_free(f"{folder}{numbered}~{number}"):
                number += 1
            name = f"{numbered}~{number}"
        self._stems.add(_key(folder + name))
        return folder + name

    def _is_free(self, stem: str) -> bool:
        key = _key(stem)
        return key not in self._stems and key not in self._of_folders

    def _free_folder(self, folder: str, part: str) -> str:
        """The folder's own name, unless a crop is called so."""
        match = _OF_A_STEM.fullmatch(part)
        return f"{part}~2" if match and _key(folder + match["stem"]) in self._stems else part

    def _note_folder(self, folder: str) -> str:
        """Remember which stems a folder stands in the way of; returns it with a "/" at its end."""
        match = _OF_A_STEM.fullmatch(folder)
        if match:
            self._of_folders.add(_key(match["stem"]))
        return folder + "/"


def _key(stem: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", stem).casefold())


def _short(name: str) -> str:
    """Cut a name that would be too long with rank and suffix; whole characters stay whole."""
    raw = os.fsencode(name)
    return name if len(raw) <= _MAX_STEM else raw[:_MAX_STEM].decode("utf-8", "ignore")
