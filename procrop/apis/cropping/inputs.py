"""Which photos a command line names: files, folders, patterns, and lists of these."""

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_STDIN = "-"
_BOM = b"\xef\xbb\xbf"
_STARS = re.compile(r"(?P<before>(?:^|/))\*\*(?:/+|$)")


@dataclass(frozen=True)
class FoundPhoto:
    """A photo that was named, or found in what was named.

    Attributes:
        path: its file.
        relative: its place below the folder that it was found in, which is mirrored below the crops; its own name where
            the file itself was named.
        root: that folder; None where the file itself was named.
    """

    path: Path
    relative: Path
    root: Path | None = None


def find_photos(words: Sequence[str], lists: Sequence[str] = ()) -> list[FoundPhoto]:
    """List the photos of a command line, in its order, each once.

    Args:
        words: files; folders, which are searched to the bottom; patterns (``*``, ``?``, ``[ab]``, ``**`` for any
            depth), unless there is a file of that very name; ``@FILE`` for a list, ``-`` for one on standard input.
            A pattern takes folders, and files whose suffix is a photo's. A named file is taken whatever its suffix,
            even if it is missing: it will be rejected when it is read.
        lists: files with a word on each line, or with NULs between them; ``-`` is standard input. Names are bytes, and
            relative to the working folder.

    Raises:
        PhotoError: a folder cannot be listed or holds no photo.
        ValueError: nothing is named, a list cannot be read, or a pattern fits nothing.
    """
    if not words and not lists:
        raise ValueError("no photo is named: give files, folders or patterns, or --list FILE")
    seen: set[str] = set()
    folders: dict[Path, str] = {}
    photos = []
    for photo in _all(words, lists):
        folder = photo.path.parent
        if folder not in folders:
            # by a link it holds the same photos; a link to a photo is another photo
            folders[folder] = os.path.realpath(folder)
        names = {os.path.abspath(photo.path), os.path.join(folders[folder], photo.path.name)}
        if not names & seen:
            photos.append(photo)
        seen |= names
    return photos


def _all(words: Sequence[str], lists: Sequence[str]) -> Iterator[FoundPhoto]:
    for word in words:
        if not word:
            raise ValueError("one of the paths is empty; a variable of the shell that is not set, perhaps?")
        if word == _STDIN:
            yield from _of_list(word)
        elif word.startswith("@") and not os.path.lexists(word):
            yield from _of_list(word[1:])
        else:
            yield from _of_word(word)
    for name in lists:
        yield from _of_list(name)


def _of_word(word: str) -> Iterator[FoundPhoto]:
    from procrop.io import list_photos

    path = Path(word)
    if path.is_dir():
        yield from (FoundPhoto(photo, photo.relative_to(path), path) for photo in list_photos(path))
    elif not os.path.lexists(path) and glob.has_magic(word):
        yield from _of_pattern(word)
    else:
        yield FoundPhoto(path, Path(path.name))


def _of_pattern(pattern: str) -> Iterator[FoundPhoto]:
    from procrop.io import PHOTO_SUFFIXES, list_photos

    root, found = _fixed_part(pattern), False
    for name in _fitting(pattern):
        path = Path(name)
        if path.is_dir():
            # ** names every folder by itself, so those without a photo of their own are no mistake
            photos = list_photos(path, required=False)
        else:
            photos = [path] if path.suffix.lower() in PHOTO_SUFFIXES else []
        for photo in photos:
            found = True
            relative = Path(os.path.relpath(photo, root))
            # a ".." behind a wildcard may lead out of the fixed part, and crops out of their folder
            yield FoundPhoto(photo, Path(photo.name) if ".." in relative.parts else relative, root)
    if not found:
        raise ValueError(
            f"{pattern}: no photo fits this pattern; quote it, and check it from the working folder"
        )


def _fitting(pattern: str) -> Iterator[str]:
    """The files and folders of a pattern, sorted; as :func:`glob.iglob`, but ``**`` enters no folder twice, so that
    links that lead back up do no harm."""
    stars = _STARS.search(pattern)
    if stars is None:
        yield from sorted(glob.iglob(pattern))
        return
    top, rest = pattern[: stars.end("before")], pattern[stars.end() :]
    for start in sorted(glob.iglob(top)) if glob.has_magic(top) else [top]:
        if not rest:  # a folder is searched to the bottom anyway
            yield start or os.curdir
            continue
        for folder in _folders(Path(start), set()):
            yield from _fitting(os.path.join("" if folder == Path() else glob.escape(str(folder)), rest))


def _folders(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """A folder and all below it that are not hidden, links last, each once."""
    try:
        status = folder.stat()
        inside = [entry for entry in folder.iterdir() if entry.name[0] != "." and entry.is_dir()]
    except OSError:
        return  # of no such name, or not to be listed: nothing fits in there
    if (status.st_dev, status.st_ino) not in seen:
        seen.add((status.st_dev, status.st_ino))
        yield folder
        for entry in sorted(inside, key=lambda entry: (entry.is_symlink(), entry)):
            yield from _folders(entry, seen)


def _fixed_part(pattern: str) -> Path:
    """The folder that all files of a pattern lie in, for certain."""
    fixed = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _of_list(name: str) -> Iterator[FoundPhoto]:
    words = _read_list(name)
    if not words:
        raise ValueError(
            f"{_called(name)}: the list names no photo; write a file, folder or pattern on each line"
        )
    for word in words:
        for photo in _of_word(word):
            if photo.root is None and not photo.path.is_absolute() and ".." not in photo.path.parts:
                # what `find photos -name ...` prints keeps its folders
                yield FoundPhoto(photo.path, photo.path)
            else:
                yield photo


def _read_list(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == _STDIN else Path(name).read_bytes()
    except (OSError, AttributeError) as error:  # a process without standard input has none to ask
        reason = getattr(error, "strerror", None) or "there is none"
        raise ValueError(f"{_called(name)}: the list cannot be read ({reason}); check its name") from error
    data = data.removeprefix(_BOM)
    if b"\0" in data:
        return [os.fsdecode(word) for word in data.split(b"\0") if word]
    return [os.fsdecode(word) for word in data.replace(b"\r\n", b"\n").split(b"\n") if word.strip()]


def _called(name: str) -> str:
    return "standard input" if name == _STDIN else name
