"""One writer per folder: a lock file that says who holds it and that a dead holder cannot keep."""

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType

_UNREADABLE_IS_STALE_AFTER = 60.0  # seconds; a lock is written right after it is made


class FolderLockedError(RuntimeError):
    """Another process, which is still alive, is writing to the folder."""


class FolderLock:
    """Context manager that holds ``path`` (made with O_EXCL) while a folder is being written.

    The file names the holder's host, process id and start time. A lock whose process is gone is taken over;
    one of another host is never judged, since its processes cannot be seen from here.

    Args:
        path: The lock file; its folder must exist.

    Raises:
        FolderLockedError: On entry, when a live process holds the lock; the message says which.
        OSError: On entry, when the folder cannot be written.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._text = json.dumps(
            {"host": socket.gethostname(), "pid": os.getpid(), "start": _start_time(os.getpid())},
            sort_keys=True,
        )

    def __enter__(self) -> "FolderLock":
        for _ in range(10):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._remove_if_stale()
                continue
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(self._text)
            return self
        raise FolderLockedError(f"{self.path}: cannot take this lock; remove the file if no build is running")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)

    def _remove_if_stale(self) -> None:
        """Remove a dead process's lock, or raise because the holder lives."""
        try:
            text = self.path.read_text(encoding="ascii")
            age = time.time() - self.path.stat().st_mtime
        except FileNotFoundError:
            return
        if not _is_stale(text, age):
            raise FolderLockedError(
                f"{self.path.parent}: another process is writing here ({text or 'just starting'}); wait for it, or "
                f"remove {self.path.name} if you are sure that it is gone"
            )
        # the rename succeeds for one of several processes that saw the same stale lock
        aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.stale")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        if aside.read_text(encoding="ascii") != text:
            # between reading and renaming another process took over: give its lock back
            os.replace(aside, self.path)
            raise FolderLockedError(
                f"{self.path.parent}: another process has just begun to write here; wait for it"
            )
        aside.unlink()


def is_locked(path: str | os.PathLike) -> bool:
    """Whether a process that lives, or one of another host, holds the lock at ``path``."""
    path = Path(path)
    try:
        return not _is_stale(path.read_text(encoding="ascii"), time.time() - path.stat().st_mtime)
    except OSError:
        return False


def _is_stale(text: str, age: float) -> bool:
    try:
        holder = json.loads(text)
        host, pid, start = holder["host"], int(holder["pid"]), holder["start"]
    except (ValueError, KeyError, TypeError):
        return age > _UNREADABLE_IS_STALE_AFTER
    if host != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # alive, of another user
    # the same number may meanwhile belong to a younger process
    return start is not None and _start_time(pid) not in (None, start)


def _start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, where /proc tells it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
