"""Whether a gallery is what it says it is, from end to end."""

from typing import TYPE_CHECKING

from procrop.io.manifest import ManifestError, read_manifest, sha256_file, verify_manifest
from procrop.registry import RETRIEVAL_BACKBONES

from .gallery_credits import has_thumbnails
from .gallery_format import INDEX_FILE, KIND, TRANSFORM_FILE, VERSION

if TYPE_CHECKING:
    from .gallery import Gallery

# bad weights, files or servers that are not there, packages that are not installed
_FAILURES = (ValueError, OSError, ImportError)


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
    if photos and not has_thumbnails(gallery.manifest):  # thumbnails are among the files of the manifest
        problems += _photo_problems(gallery)
    if encoders:
        problems += _encoder_problems(gallery)
    return problems + _opening_problems(gallery, problems)


def _opening_problems(gallery: "Gallery", known: list[str]) -> list[str]:
    """What opening the index and the key transform finds, where their files are not among the ``known`` problems."""
    checks = {
        INDEX_FILE: lambda: gallery.index.verify(),
        TRANSFORM_FILE: lambda: gallery.key_transform and [],
    }
    problems = []
    for name, check in checks.items():
        if any(problem.startswith(f"{gallery.folder / name}:") for problem in known):
            continue
        try:
            problems += check()
        except _FAILURES as error:
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
        try:
            found = RETRIEVAL_BACKBONES.build(dict(config)).fingerprint
        except _FAILURES as error:
            problems.append(f"{gallery.folder}: {config['type']} ({name}) cannot be built: {error}")
            continue
        if found != gallery.manifest["extra"][f"{name}_fingerprint"]:
            problems.append(
                f"{gallery.folder}: {config['type']} ({name}) now has other weights or preprocessing than when this "
                f"gallery was built; restore them or build the gallery again"
            )
    return problems
