"""Whether a gallery is what it says it is, from end to end."""

from typing import TYPE_CHECKING

from procrop.io.manifest import ManifestError, read_manifest, sha256_file, verify_manifest
from procrop.registry import RETRIEVAL_BACKBONES

from .gallery_format import KIND, VERSION

if TYPE_CHECKING:
    from .gallery import Gallery


def verify_gallery(gallery: "Gallery", photos: bool, encoders: bool) -> list[str]:
    """Check a gallery; see `Gallery.verify`.

    Args:
        gallery: The gallery, opened.
        photos: Read every photo too.
        encoders: Build the encoders too.

    Returns:
        One line per problem.
    """
    try:
        read_manifest(gallery.folder, KIND, VERSION)
        problems = verify_manifest(gallery.folder)
    except ManifestError as error:
        problems = [str(error)]
    if photos:
        problems += _photo_problems(gallery)
    if encoders:
        problems += _encoder_problems(gallery)
    if not problems:
        try:
            len(gallery.index)
            gallery.key_transform  # noqa: B018 (opened to see whether it opens)
        except ValueError as error:
            problems.append(str(error))
    return problems


def _photo_problems(gallery: "Gallery") -> list[str]:
    problems = []
    for i, record in enumerate(gallery.records):
        path = gallery.photo_path(i)
        try:
            if sha256_file(path) != record.sha256:
                problems.append(f"{path}: the photo has changed since the gallery was built; build it again")
        except OSError as error:
            problems.append(f"{path}: the photo cannot be read ({error.strerror}); restore it or build again")
    return problems


def _encoder_problems(gallery: "Gallery") -> list[str]:
    problems = []
    for name in ("backbone", "token_backbone"):
        config = gallery.retrieval_cfg.get(name)
        if config is None:
            continue
        found = RETRIEVAL_BACKBONES.build(dict(config)).fingerprint
        if found != gallery.manifest["extra"][f"{name}_fingerprint"]:
            problems.append(
                f"{gallery.folder}: {config['type']} ({name}) now has other weights or preprocessing than when this "
                f"gallery was built; restore them or build the gallery again"
            )
    return problems
