"""A training's config without the places of the machine that it ran on."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

# of one run on one machine, none of what the model is
_OF_THE_RUN = ("work_dir", "load_from", "resume", "launcher")
# a path from a root or a home, standing alone; what follows "://" or a letter is an address or a relative path
_PLACE = re.compile(r"""(?<![\w.:/<~-])(?:~?/[\w.@+-]+(?:/|$)|[A-Za-z]:\\)""", re.MULTILINE)


def portable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A merged config as it is published.

    What belongs to one run is left out. A path from a root or a home becomes relative to the current folder where it
    lies in it, and else its last part.

    Args:
        settings: plain values, as ``Config.to_dict`` gives them.
    """
    return {name: portable(value) for name, value in settings.items() if name not in _OF_THE_RUN}


def portable(value: Any) -> Any:  # noqa: ANN401 (any plain value)
    """The same for any value of a config."""
    if isinstance(value, Mapping):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(portable(item) for item in value)
    if isinstance(value, str) and (os.path.isabs(value) or value.startswith(("~", "file://"))):
        inside = os.path.relpath(os.path.expanduser(value.removeprefix("file://")))
        return PurePosixPath(value).name if inside.startswith(os.pardir) else inside
    return value


def places_in(text: str, names: Iterable[str] = ()) -> list[str]:
    """What in a text names a place or the owner of a machine.

    Args:
        text: to be searched.
        names: of host and user; those of fewer than five letters are words like others, and passed over.
    """
    found = [match[0] for match in _PLACE.finditer(text)]
    return found + [name for name in names if len(name) > 4 and re.search(rf"\b{re.escape(name)}\b", text)]
