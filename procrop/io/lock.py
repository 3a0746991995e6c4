"""One writer per folder: a lock file that says who holds it and that a dead holder cannot keep."""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

_UNREADABLE_IS_STALE_AFTER = 60.0  # seconds; a lock is written right after it is made


_BEATS_MISSED = 10  # a holder on another host that was silent for so many beats is gone


class FolderLockedError(RuntimeError):
    """Another process, which is still alive, is writing to the folder.

    Attributes:
        holder: Who, in words; None where the lock does not say.
    """

    def __init__(self, message: str, holder: str | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class FolderLock:
    """Context manager that holds ``path`` (made with O_EXCL) while a folder is being written.

    The file names the holder's host, process id and start time. A lock whose process is gone is taken over;
    one of another host, whose processes cannot be seen from here, only if it has beats and missed ten of them.

    Args:
        path: The lock file; its folder must exist.
        beat: Seconds after which the holder touches the file, again and again; None leaves it alone.

    Raises:
        FolderLockedError: On entry, when a live process holds the lock; the message says which.
        OSError: On entry, when the folder cannot be written.
    """

    def __init__(self, path: str | os.PathLike, beat: float | None = None) -> None:
        self.path, self.beat = Path(path), beat
        self._left = threading.Event()
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "start": _start_time(os.getpid())}
        self._text = json.dumps(holder | ({} if beat is None else {"beat": beat}), sort_keys=True)

    def __enter__(self) -> "FolderLock":
        for _ in range(10):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._remove_if_stale()
                continue
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(self._text)
            if self.beat is not None:
                self._left.clear()
                threading.Thread(target=self._keep_beating, daemon=True).start()
            return self
        raise FolderLockedError(f"{self.path}: cannot take this lock; remove the file if no build is running")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self.path.unlink(missing_ok=True)

    def _keep_beating(self) -> None:
        while not self._left.wait(self.beat):
            with contextlib.suppress(OSError):  # a file server that is away for a while
                os.utime(self.path)

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
                f"remove {self.path.name} if you are sure that it is gone",
                _in_words(text),
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
        beat = float(holder.get("beat", "inf"))
    except (ValueError, KeyError, TypeError):
        return age > _UNREADABLE_IS_STALE_AFTER
    if host != socket.gethostname():
        return age > _BEATS_MISSED * beat
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # alive, of another user
    if _stat(pid)[:1] in (["Z"], ["X"]):  # killed, and whoever started it has not looked yet
        return True
    # the same number may meanwhile belong to a younger process
    return start is not None and _start_time(pid) not in (None, start)


def _in_words(text: str) -> str | None:
    """ "pid N", with the host if it is another one."""
    try:
        holder = json.loads(text)
        host, pid = holder["host"], int(holder["pid"])
    except (ValueError, KeyError, TypeError):
        return None
    return f"pid {pid}" if host == socket.gethostname() else f"pid {pid} on {host}"


def _start_time(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot, where /proc tells it."""
    fields = _stat(pid)
    return fields[19] if fields else None


def _stat(pid: int) -> list[str]:
    """What /proc says of a process from its state on; empty where it says nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
