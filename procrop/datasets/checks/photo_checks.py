"""Whether a dataset's photos are there and can be read, and what is needed of them to find copies."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from procrop.io.photo import PhotoError, read_photo_size
from procrop.io.progress import progress

from ..paths import link_fault
from ..problems import Problems
from ..records import CropSet
from .thumbnails import ThumbnailCache, read_thumbnails


@dataclass
class PhotoScan:
    """What was seen of a dataset's photos.

    Attributes:
        problems: Missing and unreadable photos.
        sizes: (width, height) by photo name; of all that were opened.
        thumbnails: (256,) uint16 by photo name; of all that were decoded.
    """

    problems: Problems = field(default_factory=Problems)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    thumbnails: dict[str, np.ndarray] = field(default_factory=dict)


def scan_photos(
    found: CropSet,
    headers: bool = False,
    decode: bool = False,
    cache: ThumbnailCache | None = None,
    workers: int = 2,
) -> PhotoScan:
    """Look at each photo of a dataset once.

    Args:
        found: The dataset.
        headers: Open each photo for its size.
        decode: Read each photo whole (or find it in the cache) and make its thumbnail.
        cache: Thumbnails of earlier runs.
        workers: Threads that read photos.
    """
    scan = PhotoScan()
    names = list(_present(found, scan.problems))
    if headers or decode:
        for name in progress(names, len(names), "headers") if len(names) > 2000 else names:
            try:
                scan.sizes[name] = read_photo_size(found.photos / name)
            except PhotoError as error:
                scan.problems.add(error.path, f"photo unreadable: {error.reason}")
    if decode:
        names = [name for name in names if name in scan.sizes]
        paths = [found.photos / name for name in names]
        for name, result in zip(names, read_thumbnails(paths, cache, workers), strict=True):
            if isinstance(result, PhotoError):
                scan.problems.add(result.path, f"photo unreadable: {result.reason}")
            else:
                scan.thumbnails[name] = result
    return scan


def _present(found: CropSet, problems: Problems) -> Iterable[str]:
    """Names of the photos that are there; the others, and links that lead out, are reported."""
    root = found.photos.parent
    for name in dict.fromkeys(record.photo for record in found.records):
        path = found.photos / name
        if not os.path.isfile(path):
            problems.add(path, "photo missing")
        elif fault := link_fault(path, root):
            problems.add(path, fault)
        else:
            yield name
