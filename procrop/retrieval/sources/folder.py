"""A folder of photos."""

import os

from procrop.registry import GALLERY_SOURCES

from ..gallery_format import GalleryItem
from ..gallery_plan import items_from_folder
from .base import GallerySource


@GALLERY_SOURCES.register_module()
class FolderSource(GallerySource):
    """All photos below a folder, sorted by name, without annotations.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | os.PathLike) -> None:
        super().__init__(root)

    def items(self) -> list[GalleryItem]:
        return items_from_folder(self.root)
