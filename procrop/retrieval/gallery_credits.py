"""Whose the photos of a published gallery are, and the thumbnails that stand for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .gallery_format import GalleryError, PhotoCredit

_JPEG = (".jpg", ".jpeg")


def has_thumbnails(manifest: Mapping[str, Any]) -> bool:
    """Whether a gallery carries thumbnails in place of its photos; they are files of its manifest."""
    return bool(manifest["extra"].get("thumbnails"))


def thumbnail_name(name: str) -> str:
    """The file of a photo's thumbnail below the folder of thumbnails, a JPEG whatever the photo was."""
    return name if name.lower().endswith(_JPEG) else f"{name}.jpg"


def read_gallery_credits(path: Path) -> dict[str, PhotoCredit]:
    """The credits of a gallery's photos by their names; see `procrop.retrieval.sources.credits.read_credits`.

    Raises:
        GalleryError: The file cannot be read.
    """
    from .sources.base import GallerySourceError
    from .sources.credits import read_credits

    try:
        return read_credits(path)
    except GallerySourceError as error:
        raise GalleryError(str(error)) from error
