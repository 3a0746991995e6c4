"""All open sessions of the page, and the folder that their files lie in."""

import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from procrop.demo.demo_session import DemoSession
from procrop.demo.shared_cropper import SharedCropper

_SWEEP = 20.0  # seconds between two looks for sessions that are over


@dataclass
class _Entry:
    session: DemoSession
    used: float
    left: float | None = None


class SessionStore:
    """Gives each visitor a session of their own, and ends it.

    A session ends when it rests too long, some minutes after its page was closed, when there are too many, and with the
    page's end. Its files go with it.

    Args:
        cropper: what all sessions share.
        clock: seconds, for tests.

    Attributes:
        root: folder of everything that the page writes.
        uploads: folder that photos are uploaded into, before they belong to a session.
    """

    def __init__(self, cropper: SharedCropper, clock: Callable[[], float] = time.monotonic) -> None:
        self.cropper, self.limits, self._clock = cropper, cropper.limits, clock
        self.root = Path(tempfile.mkdtemp(prefix="procrop-demo-")).resolve()
        self.uploads = self.root / "uploads"
        self.uploads.mkdir()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def session(self, visitor: str) -> DemoSession:
        """The session of a visitor, a new one where there is none."""
        surplus = []
        with self._lock:
            entry = self._entries.get(visitor)
            if entry is None:
                folder = Path(tempfile.mkdtemp(prefix="session-", dir=self.root))
                entry = self._entries[visitor] = _Entry(DemoSession(self.cropper, folder), 0.0)
            entry.used, entry.left = self._clock(), None
            self._entries.move_to_end(visitor)
            while len(self._entries) > self.limits.sessions:
                surplus.append(self._entries.popitem(last=False)[1].session)
        for session in surplus:
            session.close()
        return entry.session

    def of_token(self, token: str) -> DemoSession | None:
        """The session of a secret, or None where there is none (any more)."""
        with self._lock:
            for entry in self._entries.values():
                if secrets.compare_digest(entry.session.token.encode(), token.encode()):
                    entry.used = self._clock()
                    return entry.session
        return None

    def leave(self, visitor: str) -> None:
        """Note that a visitor's page was closed."""
        with self._lock:
            entry = self._entries.get(visitor)
            if entry is not None:
                entry.left = self._clock()

    def sweep(self) -> int:
        """Close the sessions that are over, and remove uploads that never came into one; returns how many sessions."""
        now, limits = self._clock(), self.limits
        with self._lock:
            over = [
                visitor
                for visitor, entry in self._entries.items()
                if now - entry.used > limits.idle_s
                or (entry.left is not None and now - entry.left > limits.left_s)
            ]
            sessions = [self._entries.pop(visitor).session for visitor in over]
        for session in sessions:
            session.close()
        self._remove_old_uploads(time.time() - limits.left_s)
        return len(sessions)

    def _remove_old_uploads(self, before: float) -> None:
        for path in sorted(self.uploads.rglob("*"), reverse=True):  # what is in a folder before the folder
            try:
                if path.stat().st_ctime < before:
                    path.rmdir() if path.is_dir() else path.unlink()
            except OSError:  # taken in, or filled, meanwhile
                continue

    def start(self) -> None:
        """Look for sessions that are over every now and then, until :meth:`close`."""
        threading.Thread(target=self._keep_sweeping, name="procrop-demo-sweep", daemon=True).start()

    def _keep_sweeping(self) -> None:
        while not self._ended.wait(_SWEEP):
            self.sweep()

    def close(self) -> None:
        """End all sessions and remove all files."""
        self._ended.set()
        with self._lock:
            sessions = [entry.session for entry in self._entries.values()]
            self._entries.clear()
        for session in sessions:
            session.close()
        shutil.rmtree(self.root, ignore_errors=True)
