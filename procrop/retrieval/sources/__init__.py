"""Where a gallery's photos come from: one class per kind of list."""

from .ava import AVASource
from .base import GallerySource, GallerySourceError
from .cgl import CGLSource
from .cpc import CPCSource
from .file_list import FileListSource
from .folder import FolderSource
from .gaicd import GAICDSource
from .unsplash_lite import UnsplashLiteSource

__all__ = [
    "AVASource",
    "CGLSource",
    "CPCSource",
    "FileListSource",
    "FolderSource",
    "GAICDSource",
    "GallerySource",
    "GallerySourceError",
    "UnsplashLiteSource",
]
