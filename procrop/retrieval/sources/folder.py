"""A folder of photos."""

import os
from pathlib import Path

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from ..gallery_plan import items_from_folder
from .base import GallerySource
from .credits import read_credits


@GALLERY_SOURCES.register_module()
class FolderSource(GallerySource):
    """All photos below a folder, sorted by name, without annotations.

    Args:
        root: The folder.
        credits: Name of a file in it that states licence, title, author and url of photos, see `read_credits`; a photo
            that it does not list has none.
    """

    def __init__(self, root: str | os.PathLike, credits: str | None = None) -> None:
        super().__init__(root)
        self.credits = credits

    def items(self) -> list[GalleryItem]:
        items = items_from_folder(self.root)
        if self.credits is not None:
            known = read_credits(self.root / self.credits)
            for item in items:
                name = Path(item.path).relative_to(self.root).as_posix()
                item.credit = known.get(name, item.credit)
        return items
