"""Licences and authors of photos, as a file beside them states."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath

from ..gallery_format import PhotoCredit
from .base import GallerySourceError, read_lines

CREDIT_KEYS = tuple(field.name for field in fields(PhotoCredit))


def read_credits(path: Path) -> dict[str, PhotoCredit]:
    """Read a file of JSON objects, one a line, with ``file`` (the photo's name, "/" between folders) and any of
    ``licence``, ``title``, ``author``, ``url``; further keys are passed over.

    Raises:
        GallerySourceError: The file cannot be read, or a line of it is no such object.
    """
    found = {}
    remedy = "write it, or give credits=None where the photos come without one"
    for number, line in read_lines(path, "the file of licences", remedy):
        try:
            entry = json.loads(line)
            name = str(PurePosixPath(entry["file"]))
            found[name] = credit_of(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise GallerySourceError(
                f"{path}:{number}: not an object with 'file' and texts {', '.join(CREDIT_KEYS)} ({error!r})"
            ) from error
    return found


def credit_of(entry: Mapping[str, object]) -> PhotoCredit:
    """The credit that an object holds; empty texts count as unknown.

    Raises:
        ValueError: A value that is no text.
    """
    values = {key: entry.get(key) for key in CREDIT_KEYS}
    for key, value in values.items():
        if not isinstance(value, str | None):
            raise ValueError(f"'{key}' is not a text")
    return PhotoCredit(**{key: " ".join(value.split()) or None for key, value in values.items() if value})
