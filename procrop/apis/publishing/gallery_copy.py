"""A gallery as it is published: its keys, tokens and index, with thumbnails and credits in place of its photos."""

import io
import shutil
from collections.abc import Iterable
from pathlib import Path

from procrop.io.atomic import write_many, write_text
from procrop.io.manifest import write_manifest
from procrop.retrieval import Gallery
from procrop.retrieval.gallery_credits import has_thumbnails, thumbnail_name
from procrop.retrieval.gallery_format import CREDITS_FILE, KIND, THUMBNAILS, VERSION

from .attribution import CreditedPhoto
from .portable_config import portable

SIDE, QUALITY = 320, 80  # of a thumbnail: pixels of its long side, JPEG quality


def copy_gallery(gallery: Gallery, photos: Iterable[CreditedPhoto], out: Path) -> None:
    """Write the gallery into a new folder.

    Args:
        gallery: the gallery, with its photos where it says that they are.
        photos: whose they are, in the gallery's order.
        out: the folder.

    Raises:
        ValueError: A photo is gone or was changed since the gallery was built; a file of the gallery was; its encoder
            names a place of this machine; or it has been published before.
    """
    if has_thumbnails(gallery.manifest):
        raise ValueError(
            f"{gallery.folder}: is published already; name the gallery that was built of the photos"
        )
    if portable(gallery.retrieval_cfg) != gallery.retrieval_cfg:
        raise ValueError(
            f"{gallery.folder}: its encoder reads files of this machine, which nobody else has; build it with "
            "an encoder whose weights come with a package"
        )
    if problems := gallery.verify():
        raise ValueError(f"{problems[0]}; {len(problems)} problem(s) in all")
    for name in gallery.manifest["files"]:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(gallery.folder / name, out / name)
    names = [f"{THUMBNAILS}/{thumbnail_name(name)}" for name in gallery.names]
    write_many((out / name, _thumbnail(gallery.photo_path(photo_id))) for photo_id, name in enumerate(names))
    write_text(out / CREDITS_FILE, "".join(photo.to_line() for photo in photos))
    write_manifest(
        out,
        kind=KIND,
        version=VERSION,
        fingerprint=gallery.fingerprint,
        files=[*gallery.manifest["files"], *names, CREDITS_FILE],
        extra={**gallery.manifest["extra"], "photo_root": THUMBNAILS, "thumbnails": SIDE},
    )


def _thumbnail(path: Path) -> bytes:
    """The bytes of a photo's thumbnail: sRGB, upright, without metadata."""
    from PIL import Image

    from procrop.io import read_photo

    image = Image.fromarray(read_photo(path))
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return buffer.getvalue()


def sizes(gallery: Path) -> dict[str, int]:
    """Bytes of keys and tokens (with index and photo table), and of thumbnails (with credits)."""
    total = {"keys and tokens": 0, "thumbnails": 0}
    for path in gallery.rglob("*"):
        if path.is_file():
            shown = THUMBNAILS in path.relative_to(gallery).parts or path.name == CREDITS_FILE
            total["thumbnails" if shown else "keys and tokens"] += path.stat().st_size
    return total
