"""The list of source photos: ids that name files, and where each photo comes from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procrop.datasets.formats.names import flat_name
from procrop.datasets.formats.text import encoded
from procrop.retrieval.gallery_format import PhotoCredit

from .errors import GenerationError

_LONGEST_ID = 100


@dataclass(frozen=True)
class SourcePhoto:
    """A photo that expansions are made of.

    Attributes:
        id: Its name in the dataset, unique, without folders: names of files and items begin with it.
        source_id: Its name in a gallery that is built of the same source, so that it can be kept from being a
            reference for its own expansions.
        path: Where it is.
        name: Path below the source's folder, with forward slashes.
        collection: Which source it is from: the class without "Source".
        credit: Licence and author.
    """

    id: str
    source_id: str
    path: Path
    name: str
    collection: str
    credit: PhotoCredit = PhotoCredit()


@dataclass(frozen=True)
class PhotoList:
    """Photos in the order of their sources.

    Attributes:
        photos: What is worked on.
        left_out: (place, reason) of what the sources could not give.
        roots: The folders that hold the photos.
    """

    photos: list[SourcePhoto]
    left_out: list[tuple[str, str]]
    roots: list[Path]


def list_source_photos(configs: Sequence[Mapping[str, Any]], limit: int | None = None) -> PhotoList:
    """Ask each source for its photos.

    Args:
        configs: Configs of GALLERY_SOURCES.
        limit: Take the first of them only.

    Raises:
        GenerationError: An unknown type or key, or no photo.
        ValueError: As the source says.
    """
    from procrop.registry import GALLERY_SOURCES
    from procrop.retrieval.gallery_plan import plan_photos

    if limit is not None and limit < 1:
        raise GenerationError(f"a limit of photos must be at least 1, not {limit}")
    photos: dict[str, SourcePhoto] = {}
    found = PhotoList([], [], [])
    for config in configs:
        try:
            source = GALLERY_SOURCES.build(dict(config))
        except (KeyError, TypeError) as error:
            raise GenerationError(f"generation.source: {error.args[0]}") from error
        items = source.items()
        found.roots.append(source.root)
        for reason, places in source.report.items():
            found.left_out.extend((_below(place, source.root), reason) for place in places)
        collection = type(source).__name__.removesuffix("Source")
        for plan in plan_photos(items, source.root):
            own = _own_id(plan.source_id)
            path, credit = Path(plan.item.path), plan.item.credit
            photo = SourcePhoto(own, plan.source_id, path, plan.name, collection, credit)
            if own in photos:
                found.left_out.append((plan.name, f"same id as {photos[own].name}: {own}"))
            else:
                photos[own] = photo
    found.photos.extend(list(photos.values())[:limit])
    return found


def _own_id(source_id: str) -> str:
    """The source's id as a part of file names."""
    name = flat_name(source_id)
    if len(encoded(name)) <= _LONGEST_ID:
        return name
    return f"{name[: _LONGEST_ID // 4]}-{hashlib.sha256(encoded(source_id)).hexdigest()[:16]}"


def _below(place: str, root: Path) -> str:
    """A place in a report without the folder it is in, which differs from machine to machine."""
    for folder in (root, root.parent):
        if place.startswith(f"{folder}/"):
            return place[len(f"{folder}/") :]
    return place
