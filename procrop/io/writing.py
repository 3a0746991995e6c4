"""Writing to a folder alone, and plain words for what goes wrong with a disk."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .lock import FolderLock, FolderLockedError

_FULL = "free some space"
_DENIED = "make it writable"
_BEAT, _LOOK_AGAIN = 10.0, 0.2  # seconds
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
    work: str = "build",
    wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold a folder's lock; say clearly what went wrong when the folder cannot be written.

    Args:
        folder: The folder; made when absent.
        lock_name: Name of the lock file in it.
        refusal: What is raised when the folder cannot be used.
        work: What is being done, in a word for messages.
        wait: Waits while another process writes there, instead of refusing; called once with that process in words.

    Raises:
        ValueError: A ``refusal``: another process writes there, or nothing can be written there.
        OSError: The disk is full or failed in the middle; the message says how to go on.
    """
    folder = Path(folder)
    lock = FolderLock(folder / lock_name, None if wait is None else _BEAT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _take(lock, wait)
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
            f"{_REMEDIES[error.errno]} and run the same {work} again",
        ) from error
    finally:
        lock.__exit__(None, None, None)


def _take(lock: FolderLock, wait: Callable[[str], None] | None) -> None:
    told = False
    while True:
        try:
            lock.__enter__()
            return
        except FolderLockedError as error:
            if wait is None:
                raise
            if not told:
                wait(error.holder or "another process")
                told = True
        time.sleep(_LOOK_AGAIN)
