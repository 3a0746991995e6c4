"""The folder of an audit: what was predicted and with which settings, so that nothing is done twice."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from procrop.io.atomic import write_json, write_text


class AuditFolder:
    """Files of one JSON line per photo, which may be continued where they were left.

    While a file is not finished it has the suffix ``.part``; a line that was torn by a kill is dropped and its photo
    done again.

    Args:
        path: The folder; made when it does not exist.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._open: dict[str, IO[str]] = {}

    def claim(self, name: str, settings: Mapping[str, Any]) -> None:
        """Note what the results are made with, or see that it is the same.

        Raises:
            ValueError: The folder holds results of other settings.
        """
        file = self.path / name
        settings = json.loads(json.dumps(settings))
        if file.is_file():
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                found = {}
            changed = sorted(key for key in {*found, *settings} if found.get(key) != settings.get(key))
            if changed:
                raise ValueError(
                    f"{self.path}: holds results of another {', '.join(changed)}; name another folder: --out DIR"
                )
        write_json(file, settings)

    def lines(self, name: str) -> dict[str, dict]:
        """What is there of a file: img_id to its line."""
        done, part = self._paths(name)
        if done.is_file():
            return _by_id(done)
        return _by_id(part) if part.is_file() else {}

    def is_finished(self, name: str) -> bool:
        """Whether the file holds all its photos."""
        return self._paths(name)[0].is_file()

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Add a photo's line; it is on its way to the disk when this returns."""
        if name not in self._open:
            part = self._paths(name)[1]
            kept = self.lines(name)
            write_text(part, _text(kept.values()))  # without a torn end
            self._open[name] = open(part, "a", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self._open[name].write(_text([line]))
        self._open[name].flush()

    def finish(self, name: str, order: Iterable[str]) -> None:
        """Make the file whole, its lines in the order of these ids."""
        done, part = self._paths(name)
        lines = self.lines(name)
        self._close(name)
        write_text(done, _text(lines[img_id] for img_id in order))
        part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close what is being written; it can be continued."""
        for name in list(self._open):
            self._close(name)

    def _close(self, name: str) -> None:
        if name in self._open:
            self._open.pop(name).close()

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self.path / name, self.path / f"{name}.part"


def _text(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)


def _by_id(path: Path) -> dict[str, dict]:
    lines = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
            lines[line["img_id"]] = line
        except (ValueError, TypeError, KeyError):
            continue
    return lines
