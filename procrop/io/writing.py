"""Writing to a folder alone, and plain words for what goes wrong with a disk."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .lock import FolderLock, FolderLockedError

_FULL = "free some space"
_DENIED = "make it writable"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _DENIED,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: "see to the disk",
}


@contextmanager
def writing_to(
    folder: str | os.PathLike,
    lock_name: str,
    refusal: type[ValueError],
    again: str = "run the same build again",
) -> Iterator[None]:
    """Hold a folder's lock; say clearly what went wrong when the folder cannot be written.

    Args:
        folder: The folder; made when absent.
        lock_name: Name of the lock file in it.
        refusal: What is raised when the folder cannot be used.
        again: How to go on after a disk failed.

    Raises:
        ValueError: A ``refusal``: another process writes there, or nothing can be written there.
        OSError: The disk is full or failed in the middle; the message says how to go on.
    """
    folder = Path(folder)
    lock = FolderLock(folder / lock_name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.__enter__()
    except FolderLockedError as error:
        raise refusal(str(error)) from error
    except OSError as error:
        raise refusal(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror}: {error.filename or folder} cannot be written. What is finished is kept: "
            f"{_REMEDIES[error.errno]} and {again}",
        ) from error
    finally:
        lock.__exit__(None, None, None)
