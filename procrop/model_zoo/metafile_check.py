"""Values out of a metafile, checked one by one: a misspelt key is an error, never a default."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .errors import MetafileError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One mapping of a metafile, with its place for messages."""

    values: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, value: object, place: str, keys: Iterable[str]) -> "Entry":
        """Take a mapping whose keys are all among ``keys``.

        Raises:
            MetafileError: It is none, or has another key.
        """
        if not isinstance(value, dict):
            raise MetafileError(f"{place} must be a mapping, not {value!r}")
        known = list(keys)
        for key in value:
            if key not in known:
                near = get_close_matches(str(key), known, 1)
                remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
                raise MetafileError(f"{place} has the unknown key {key!r}; {remedy}")
        return cls(value, place)

    def _get(self, key: str, kind: type, words: str) -> Any:  # noqa: ANN401
        if key not in self.values:
            raise MetafileError(f"{self.place} has no {key!r}; add it: {words}")
        value = self.values[key]
        if not isinstance(value, kind) or isinstance(value, bool) or value in ("", []):
            raise MetafileError(f"{self.place}: {key!r} must be {words}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A text; the default where the key is absent and has one."""
        if default is not None and key not in self.values:
            return default
        return self._get(key, str, "a text")

    def name(self) -> str:
        """``Name``: it names a folder, too."""
        name = self.text("Name")
        if not _NAME.fullmatch(name):
            raise MetafileError(
                f"{self.place}: 'Name' must be of letters, digits, '.', '_' and '-', not {name!r}"
            )
        return name

    def sha256(self) -> str:
        """``SHA-256``, hex, lower case."""
        text = self._get("SHA-256", str, "64 hex digits in quotes").lower()
        if not _SHA256.fullmatch(text):
            raise MetafileError(f"{self.place}: 'SHA-256' must be 64 hex digits in quotes, not {text!r}")
        return text

    def count(self, key: str) -> int:
        """A whole number above zero."""
        number = self._get(key, int, "a whole number above 0")
        if number <= 0:
            raise MetafileError(f"{self.place}: {key!r} must be a whole number above 0, not {number}")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        """One text, or a list of them."""
        value = self._get(key, (str, list), "a text or a list of texts")
        texts = (value,) if isinstance(value, str) else tuple(value)
        if not all(isinstance(text, str) and text for text in texts):
            raise MetafileError(f"{self.place}: {key!r} must be a text or a list of texts, not {value!r}")
        return texts

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping with any keys; empty where it is absent."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise MetafileError(f"{self.place}: {key!r} must be a mapping, not {value!r}")
        return value

    def figures(self, key: str) -> dict[str, float]:
        """A mapping from text to finite number."""
        figures = self.mapping(key)
        for name, value in figures.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or value != value or abs(value) == float("inf"):
                raise MetafileError(f"{self.place}: {key!r}: {name!r} must be a number, not {value!r}")
        return {str(name): float(value) for name, value in figures.items()}


def entries(values: Mapping[str, Any], key: str, path: Path) -> list[tuple[object, str]]:
    """The items of one list of a metafile, each with its place; none where the list is absent."""
    items = values.get(key) or []
    if not isinstance(items, list):
        raise MetafileError(f"{path}: {key!r} must be a list, not {items!r}")
    places = []
    for number, item in enumerate(items, start=1):
        name = item.get("Name") if isinstance(item, dict) else None
        places.append((item, f"{path}: {key} {number} ({name})" if name else f"{path}: {key} {number}"))
    return places
