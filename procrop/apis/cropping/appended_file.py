"""A file that grows while others read it."""

import os
from pathlib import Path
from types import TracebackType


class AppendedFile:
    """A file that grows by whole pieces, each at once in the hands of whoever reads it.

    Args:
        path: the file; it is made, or goes on from where it ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._end = os.fstat(self._handle).st_size

    def append(self, data: bytes) -> None:
        """Write a piece.

        Raises:
            OSError: it could not be written; the file is as it was.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError as error:
            os.ftruncate(self._handle, self._end)
            error.filename = os.fspath(self.path)
            raise
        self._end += len(data)

    def __enter__(self) -> "AppendedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._handle)
        finally:
            os.close(self._handle)
