"""Published files into the cache: one downloader at a time, each file whole and of the right SHA-256, or absent."""

import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from procrop.io.atomic import sync_folder, temporary_name
from procrop.io.manifest import MANIFEST_NAME, sha256_file
from procrop.io.writing import writing_to

from .errors import DownloadError, ModelZooError
from .locations import CACHE_VARIABLE, cached_file, local_file, source_of, stored_in
from .model_entry import GalleryFile, PublishedFile
from .transfer import transfer

_LOCK = ".lock"
_MARK = ".sha256"  # in an unpacked gallery: the archive's SHA-256


class _CacheError(ValueError):
    """The folder cannot be written."""


def obtain(file: PublishedFile, download: bool = True) -> Path:
    """Where a published file is on this machine, fetched first where it has to be.

    Args:
        file: weights or a gallery.
        download: whether it may be fetched.

    Returns:
        The file; of a gallery, the folder with its ``manifest.json``.

    Raises:
        ModelZooError: It is not here and may not be fetched, or is here and not the one that was published.
        DownloadError: It cannot be fetched, or the cache cannot be written.
        OSError: The disk is full.
    """
    local = local_file(file)
    if isinstance(file, GalleryFile):
        return _obtain_gallery(file, local, download) / file.folder
    if local is not None:
        _check(local, file, "the metafile is wrong, or the file was changed: install or copy it again")
        return local
    target = cached_file(file)
    if _matches(target, file):
        return target
    if not download:
        raise _absent(file)
    fetch(file, target)
    return target


def _obtain_gallery(file: GalleryFile, local: Path | None, download: bool) -> Path:
    if local is not None and not _is_archive(local):
        manifest = local / file.folder / MANIFEST_NAME
        _check(
            manifest, file, "the metafile is wrong, or the gallery was built anew: install or copy it again"
        )
        return local
    target = cached_file(file)
    if _mark_of(target) == file.sha256:
        return target
    if local is None and not download:
        raise _absent(file)
    if local is not None:
        _check(local, file, "the metafile is wrong, or the file was changed: install or copy it again")
        with _alone(target.parent, file):
            _unpack(local, target, file)
        return target
    archive = stored_in(target.parent.parent, file)
    with _alone(target.parent, file):
        if _mark_of(target) != file.sha256:  # another downloader may have brought it meanwhile
            _fetch(file, archive)
            _unpack(archive, target, file)
            archive.unlink()
    return target


def fetch(file: PublishedFile, target: Path) -> None:
    """Download a file as it is published to ``target``; one that is there already, and right, is left alone.

    Raises:
        DownloadError: It cannot be fetched, has another SHA-256 (then it is removed), or cannot be written.
        OSError: The disk is full.
    """
    with _alone(target.parent, file):
        _fetch(file, target)


def is_here(file: PublishedFile) -> bool:
    """Whether a file need not be fetched; its bytes are not read."""
    local = local_file(file)
    if local is not None:
        return local.exists()
    path = cached_file(file)
    if isinstance(file, GalleryFile):
        return _mark_of(path) == file.sha256
    return path.is_file() and path.stat().st_size == file.size


def _fetch(file: PublishedFile, target: Path) -> None:
    if _matches(target, file):
        return
    source = source_of(file)
    part = target.with_name(f".{target.name}.{file.sha256[:8]}.part")
    transfer(source, part, file.size)
    found = sha256_file(part)
    if found != file.sha256:
        part.unlink()
        raise DownloadError(
            f"{source}: what came has the SHA-256 {found}, but {target.name} has {file.sha256}; it was removed. Run it "
            "again; if that does not help, another file lies there"
        )
    os.replace(part, target)
    sync_folder(target.parent)


@contextmanager
def _alone(folder: Path, file: PublishedFile) -> Iterator[None]:
    def tell(holder: str) -> None:
        print(f"{file.model}: {holder} is downloading to {folder}; waiting for it", file=sys.stderr)

    try:
        with writing_to(folder, _LOCK, _CacheError, "download", tell):
            yield
    except _CacheError as error:
        raise DownloadError(f"{error} (that of the cache is named by {CACHE_VARIABLE})") from error


def _matches(path: Path, file: PublishedFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_file(path) == file.sha256


def _check(path: Path, file: PublishedFile, remedy: str) -> None:
    if not path.is_file():
        raise ModelZooError(
            f"{path}: not found, though {file.metafile} has the {file.what} of {file.model} there"
        )
    status = path.stat()
    found = _sha256(path, status.st_size, status.st_mtime_ns)
    if found != file.sha256:
        raise ModelZooError(
            f"{path}: its SHA-256 is {found}, but {file.metafile} says {file.sha256}; {remedy}"
        )


@lru_cache(maxsize=16)  # whoever crops photo by photo asks for the same model each time
def _sha256(path: Path, size: int, changed: int) -> str:  # noqa: ARG001 (a file that was changed is another one)
    return sha256_file(path)


def _absent(file: PublishedFile) -> ModelZooError:
    return ModelZooError(
        f"the {file.what} of {file.model} are not on this machine; fetch them: procrop models download {file.model}"
        if file.what == "weights"
        else f"the {file.what} of {file.model} is not on this machine; fetch it: procrop models download {file.model}"
    )


def _is_archive(path: Path) -> bool:
    return path.suffix == ".zip"


def _mark_of(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None


def _unpack(archive: Path, target: Path, file: GalleryFile) -> None:
    """Make ``target`` of a zip archive: whole, or not at all."""
    unfinished = temporary_name(target)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
                    raise DownloadError(
                        f"{archive}: holds {name!r}, which would be written outside of {target}"
                    )
            content.extractall(unfinished)
        if not (unfinished / file.folder / MANIFEST_NAME).is_file():
            raise DownloadError(
                f"{archive}: has no {file.folder}/{MANIFEST_NAME}; the metafile's 'Folder' or the archive is wrong"
            )
        (unfinished / _MARK).write_text(file.sha256, encoding="ascii")
        os.sync()  # the mark vouches for all of it
        shutil.rmtree(target, ignore_errors=True)  # of an earlier version
        os.replace(unfinished, target)
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive}: is no zip archive ({error})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    sync_folder(target.parent)
