"""Which photos of a gallery are a query itself, or of its source."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from procrop.io import sha256_file

from .gallery_credits import has_thumbnails

if TYPE_CHECKING:  # whoever has a gallery has imported it already
    from .gallery import Gallery


def own_photo_ids(gallery: "Gallery", path: str | os.PathLike, sha256: str | None = None) -> np.ndarray:
    """Gallery photos that must not be neighbours of the photo in the file ``path``.

    The photo is recognised by its content (SHA-256 of the file), so a copy under another name is too, and by its
    place in the gallery's photo folder. What has the same source is left out with it.

    Args:
        gallery: The gallery.
        path: File of the query.
        sha256: Of its content, where it is known; the file is then not read.

    Returns:
        Ids (n,) int64, ascending.

    Raises:
        OSError: The file cannot be read.
    """
    own = {int(i) for i in gallery.ids_by_sha256.get(sha256 or sha256_file(path), ())}
    root = gallery.photo_root.resolve()
    name = Path(os.path.relpath(os.path.realpath(path), root)).as_posix()
    own.update(gallery.ids_of([name]).tolist())
    if has_thumbnails(gallery.manifest):  # the thumbnail of a PNG has a suffix more
        own.update(gallery.ids_of([name.removesuffix(".jpg")]).tolist())
    return gallery.ids_of({gallery.source_ids[i] for i in own})
