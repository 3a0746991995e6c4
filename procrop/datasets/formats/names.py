"""Names of written files: flat, unique, and such that reading them gives the record's id again."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from procrop.io import PHOTO_SUFFIXES

from ..problems import Problems
from ..records import CropRecord

_UNSAFE = re.compile(r"[/\\:\x00-\x1f\x7f]")
_NUMBERED = re.compile(r"(.+)_(\d+)", re.DOTALL)


def without_suffix(name: str) -> str:
    """A photo's name without its suffix, if it has one that photos have."""
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in PHOTO_SUFFIXES else name


def flat_name(text: str) -> str:
    """A file name without folders and without a photo's suffix that stands for an id."""
    name = without_suffix(_UNSAFE.sub("_", text).strip())
    return name if name.strip(".") else f"_{name}"


def flat_photo(record: CropRecord) -> str:
    """The name that a record's photo has in a format that keeps all photos in one folder: its id and suffix."""
    return flat_name(record.img_id) + PurePosixPath(record.photo).suffix


def numbered(record: CropRecord, base: str) -> tuple[str, str]:
    """Split a record's id into ``base`` and number, for formats whose names are ``<base>_<number>``.

    Returns:
        (base, number) of an id that has this base; otherwise the whole id, and "0".
    """
    name = flat_name(record.img_id)
    found = _NUMBERED.fullmatch(name)
    return (found[1], found[2]) if found and found[1] == flat_name(base) else (name, "0")


def split_number(name: str) -> tuple[str, str] | None:
    """(base, number) of a name ``<base>_<number>``, or None for another name."""
    found = _NUMBERED.fullmatch(name)
    return (found[1], found[2]) if found else None


def one_each(
    records: Iterable[CropRecord], name_of: Callable[[CropRecord], str], title: str, problems: Problems
) -> Iterator[tuple[str, CropRecord]]:
    """Yield (name, record); a record whose name an earlier one has is left out and reported."""
    seen = set()
    for record in records:
        name = name_of(record)
        if name in seen:
            problems.add(record.img_id, f"{title} would give two records one name; the later is left out")
        else:
            seen.add(name)
            yield name, record
