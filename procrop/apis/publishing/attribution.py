"""Whose the photos of a published gallery are: its credits, and ATTRIBUTION.md for people."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from procrop.generation.datacard import markdown_table
from procrop.retrieval.gallery_format import PhotoCredit
from procrop.retrieval.sources.base import GallerySourceError, read_lines
from procrop.retrieval.sources.credits import credit_of

#: in the folder of the photos
PHOTO_LIST = "manifest.jsonl"

_DEED = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
}
# a licence that asks for the author asks for what the publisher supplied
NOT_STATED = "author not stated"


@dataclass(frozen=True)
class CreditedPhoto:
    """A photo, and whose it is.

    Attributes:
        name: its name in the gallery.
        credit: title, author, licence, address.
        source: where it was taken from, in words.
    """

    name: str
    credit: PhotoCredit
    source: str

    def to_line(self) -> str:
        """The photo as a line of the gallery's ``credits.jsonl``."""
        said = {key: value for key, value in vars(self.credit).items() if value is not None}
        said.setdefault("author", NOT_STATED)
        return json.dumps(dict(file=self.name, source=self.source, **said), sort_keys=True) + "\n"


def credited_photos(photos: Path, names: Sequence[str]) -> list[CreditedPhoto]:
    """The credits of a gallery's photos, in its order.

    Args:
        photos: the folder of the photos, with ``manifest.jsonl``: a line a photo with ``file``, ``licence``, ``title``,
            ``author`` (null where it is not known), and ``url`` or ``repository`` and ``original``.
        names: of the gallery's photos.

    Raises:
        ValueError: The list cannot be read, or a photo may not be published as things are: it has no line, no title,
            no licence or no source.
    """
    listed = _read(photos / PHOTO_LIST)
    found = []
    for name in names:
        if name not in listed:
            raise ValueError(f"{photos / PHOTO_LIST}: has no line for {name}; add it, or leave the photo out")
        photo = listed[name]
        _check(photo, photos / PHOTO_LIST)
        found.append(photo)
    return found


def _read(path: Path) -> dict[str, CreditedPhoto]:
    photos = {}
    for number, line in read_lines(path, "the list of photos with their licences", "write it"):
        try:
            entry = json.loads(line)
            places = [str(entry[key]) for key in ("repository", "original") if entry.get(key)]
            source = str(entry.get("url") or ": ".join(places))
            photos[entry["file"]] = CreditedPhoto(entry["file"], credit_of(entry), source)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GallerySourceError(
                f"{path}:{number}: not an object with the texts file, licence, title, author, and url or repository "
                f"and original ({error!r})"
            ) from error
    return photos


def _check(photo: CreditedPhoto, path: Path) -> None:
    said = dict(title=photo.credit.title, licence=photo.credit.licence, source=photo.source)
    lacks = [name for name, value in said.items() if not value]
    if lacks:
        raise ValueError(
            f"{path}: {photo.name} has no {' and no '.join(lacks)}; nothing of it can be published without"
        )


def licences_of(photos: Iterable[CreditedPhoto]) -> str:
    """All licences as one SPDX expression."""
    return " AND ".join(sorted({photo.credit.licence for photo in photos}))


def attribution_page(model: str, photos: Sequence[CreditedPhoto], side: int) -> str:
    """The text of ATTRIBUTION.md.

    Args:
        model: the model's name.
        photos: all photos of its gallery.
        side: pixels of the thumbnails' long side.
    """
    counts: dict[str, int] = {}
    for photo in photos:
        counts[photo.credit.licence] = counts.get(photo.credit.licence, 0) + 1
    licences = ((name, _DEED.get(name, ""), number) for name, number in sorted(counts.items()))
    rows = (
        (
            f"`{photo.name}`",
            photo.credit.title,
            photo.credit.author or NOT_STATED,
            photo.credit.licence,
            photo.source,
        )
        for photo in photos
    )
    return "\n".join(
        (
            f"# The photos of {model}",
            "",
            f"`gallery/thumbnails/` holds small versions of {len(photos)} photos, at most {side} pixels wide or high, "
            "made for this",
            "project. Nothing else was changed. Each is under the licence of its photo, which also holds for what is "
            "made from it.",
            "`gallery/credits.jsonl` says the same line by line, for programs.",
            "",
            *markdown_table(("licence", "text", "photos"), licences),
            "",
            *markdown_table(("photo", "title", "author", "licence", "source"), rows),
            "",
        )
    )
