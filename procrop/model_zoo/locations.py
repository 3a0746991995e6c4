"""Where a published file is: in the package, on this machine, in the cache, on a server, on a mirror."""

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from .errors import DownloadError, ModelZooError
from .model_entry import GalleryFile, PublishedFile

CACHE_VARIABLE = "PROCROP_CACHE"
MIRROR_VARIABLE = "PROCROP_MODEL_MIRROR"
PACKAGE_ROOT = Path(__file__).resolve().parent
_PACKAGE = "package:"
_REMOTE = ("http", "https")


def check_location(location: str) -> None:
    """See whether a location has a form that can be used.

    Raises:
        ValueError: It has not; the message says why.
    """
    if location.startswith(_PACKAGE):
        path = Path(location.removeprefix(_PACKAGE))
        if path.is_absolute() or ".." in path.parts or path == Path("."):
            raise ValueError(f"{location!r} must name something inside procrop/model_zoo")
    elif is_remote(location):
        check_remote(location)
        if file_name(location) in ("", ".", "..") or "/" in file_name(location):
            raise ValueError(f"the address {location!r} ends in no file name")
    elif "://" in location and not location.startswith("file://"):
        raise ValueError(f"{location!r} is none of package:PATH, http(s)://, file:// and a path")


def check_remote(url: str) -> None:
    """See whether a server can be asked for this address.

    Raises:
        ValueError: It names none, or carries a password, which would end up in messages (it is not repeated).
    """
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError(f"the address {url!r} has blanks in it; write them as %20")
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("an address with user and password in it cannot be used; leave them out")
    if not parts.hostname:
        raise ValueError(f"the address {url!r} names no server")


def is_remote(location: str) -> bool:
    """Whether a server has to be asked."""
    return urlsplit(location).scheme.lower() in _REMOTE


def path_of(url: str) -> Path:
    """The path that a ``file://`` address names, or the path itself.

    Raises:
        DownloadError: The address names another machine.
    """
    if not url.startswith("file://"):
        return Path(url).expanduser()
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise DownloadError(f"{url}: names another machine; write file:///FOLDER for a folder of this one")
    return Path(url2pathname(parts.path))


def local_file(file: PublishedFile) -> Path | None:
    """Where a file is that needs no download; None for one that does, whether it is in the cache or not."""
    if is_remote(file.location):
        return None
    if file.location.startswith(_PACKAGE):
        return PACKAGE_ROOT / file.location.removeprefix(_PACKAGE)
    return file.metafile.resolve().parent / path_of(file.location)


def cache_folder() -> Path:
    """Folder of everything that was downloaded: PROCROP_CACHE, else ``~/.cache/procrop``."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cache" / "procrop"


def file_name(location: str) -> str:
    """The file's own name at the end of an address."""
    return unquote(urlsplit(location).path.rpartition("/")[2])


def stored_in(root: Path, file: PublishedFile) -> Path:
    """Where a file is in a folder laid out like a mirror: ``ROOT/MODEL/FILE``."""
    return root / file.model / file_name(file.location)


def cached_file(file: PublishedFile) -> Path:
    """Where a downloaded file is, or will be; of a gallery, the unpacked folder."""
    path = stored_in(cache_folder() / "models", file)
    return path.with_suffix("") if isinstance(file, GalleryFile) else path


def source_of(file: PublishedFile) -> str:
    """Where a file is fetched from: from the mirror where one is set, else from the address in the metafile.

    Raises:
        ModelZooError: The mirror's address cannot be used.
    """
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        return file.location
    try:
        if is_remote(mirror):
            check_remote(mirror)
            return f"{mirror.rstrip('/')}/{file.model}/{quote(file_name(file.location))}"
    except ValueError as error:
        raise ModelZooError(f"{MIRROR_VARIABLE}: {error}") from error
    if "://" in mirror and not mirror.startswith("file://"):
        raise ModelZooError(f"{MIRROR_VARIABLE}={mirror!r} is none of http(s)://, file:// and a folder")
    return str(stored_in(path_of(mirror), file))
