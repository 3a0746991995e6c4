"""Answers on the disk, one small file each, and what they have cost."""

import json
import os
import time
from pathlib import Path

from procrop.io import write_json

from .endpoint import Usage

_VERSION = 1
_STATES = ("answer", "refusal", "failed")
_RESCAN = 60.0  # seconds between two looks at what other processes have written


class AnswerCache:
    """A folder of answers by key, each written whole, with the usage of all requests that it took.

    Entries are JSON objects with ``status`` ("answer", "refusal" or "failed"), ``usage``, and whatever else the caller
    keeps. Processes may share a folder as long as no two work on the same key.

    Args:
        folder: It is made when the first answer is written.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self._usage: dict[str, Usage] = {}
        self._next_scan = 0.0

    def get(self, key: str) -> dict | None:
        """The entry of a key; None when there is none.

        Raises:
            ValueError: The file is damaged or of another version.
        """
        path = self._path(key)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            entry = json.loads(text)
            if entry["version"] != _VERSION or entry["status"] not in _STATES:
                raise ValueError(f"version {entry['version']}, status {entry['status']!r}")
            usage_of(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not an answer that this program reads ({error}); delete it") from error
        return entry

    def put(self, key: str, status: str, usage: Usage, **values: object) -> dict:
        """Write the entry of a key, over an older one."""
        entry = {"version": _VERSION, "status": status, "usage": dict(usage.__dict__), **values}
        write_json(self._path(key), entry)
        self._usage[key] = usage
        return entry

    def usage(self) -> Usage:
        """Usage of all answers in the folder; those of other processes are seen after a minute at the latest."""
        if time.monotonic() >= self._next_scan:
            self._next_scan = time.monotonic() + _RESCAN
            for path in self.folder.glob("??/*.json"):
                if path.stem not in self._usage and (entry := self.get(path.stem)) is not None:
                    self._usage[path.stem] = usage_of(entry)
        return sum(self._usage.values(), Usage())

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def usage_of(entry: dict) -> Usage:
    """The usage that an entry holds."""
    return Usage(**{name: int(entry["usage"][name]) for name in Usage.__dataclass_fields__})
