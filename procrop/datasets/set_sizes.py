"""Sizes of a dataset's photos: from the annotations where they say them, else from the photos' headers."""

from pathlib import Path

import numpy as np

from procrop.io.photo import PhotoError, read_photo_size
from procrop.io.progress import progress

from .records import CropSet


def photo_sizes(found: CropSet, read_headers: bool = True) -> dict[str, tuple[int, int]]:
    """(width, height) in pixels of each photo whose size is known, by the photo's name.

    Args:
        found: The dataset.
        read_headers: Open photos whose size the annotations do not say; one that is missing or unreadable is left out.
    """
    sizes = {record.photo: record.size for record in found.records if record.size is not None}
    unknown = [name for name in dict.fromkeys(r.photo for r in found.records) if name not in sizes]
    if not read_headers:
        return sizes
    present = [name for name in unknown if Path(found.photos, name).is_file()]
    for name in progress(present, len(present), "photo sizes") if len(present) > 2000 else present:
        try:
            sizes[name] = read_photo_size(found.photos / name)
        except PhotoError:
            continue
    return sizes


def box_sizes(found: CropSet, sizes: dict[str, tuple[int, int]]) -> np.ndarray:
    """(width, height) of the photo behind each crop of the dataset, in order: (n, 2) float64, NaN where unknown."""
    unknown = (np.nan, np.nan)
    rows = [np.tile(sizes.get(record.photo, unknown), (len(record.boxes), 1)) for record in found.records]
    return np.concatenate(rows).astype(np.float64) if rows else np.zeros((0, 2))
