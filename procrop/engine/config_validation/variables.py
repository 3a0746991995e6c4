"""Overrides of top-level variables, which come too late: what a config file made of them are copies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import Problem, nearest
from .implicit import runner_keys

_SHOWN_PLACES = 6


def overrides_without_effect(tree: Mapping[str, Any], keys: Sequence[str]) -> list[Problem]:
    """Overrides of variables of the file that nothing reads once the file has run.

    ``references = dict(...)`` at the top level and ``dataset=dict(references=references)`` below are two dicts as soon
    as the file has been read: a change of the first one does not reach the second.

    Args:
        tree: items of the config before any override.
        keys: dotted keys of the overrides.
    """
    problems = []
    for key in keys:
        name, _, rest = key.partition(".")
        if name not in tree or name in runner_keys():
            continue
        places = [f"`{place}.{rest}`" if rest else f"`{place}`" for place in copies(tree, name)]
        text = f"--cfg-options: `{key}` has no effect: `{name}` is a variable of the config file, "
        if places:
            shown = ", ".join(places[:_SHOWN_PLACES]) + (", ..." if len(places) > _SHOWN_PLACES else "")
            text += f"and what the file made of it are copies; set {shown}"
        else:
            text += "which nothing reads after the file has run; change it in a config file"
            if right := nearest(name, runner_keys(), cutoff=0.75):
                text += f", or did you mean `{right[0]}`?"
        problems.append(Problem(key, name, text))
    return problems


def copies(tree: Mapping[str, Any], name: str) -> list[str]:
    """The dotted places, below the keys that are read, where the value of a variable stands."""
    found = []
    for key in tree:
        if key in runner_keys():
            found += _copies_below(tree[key], (key,), name, _plain(tree[name]))
    return [".".join(path) for path in found]


def _copies_below(node: Any, path: tuple[str, ...], name: str, value: Any) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    if _is_copy(node, path[-1] == name, value):
        yield path
    elif isinstance(node, Mapping):
        for key, item in dict.items(node):
            yield from _copies_below(item, (*path, str(key)), name, value)
    elif isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _copies_below(item, (*path, str(index)), name, value)


def _is_copy(node: Any, same_name: bool, value: Any) -> bool:  # noqa: ANN401 (any config value)
    """Whether a value is that of a variable: at a key of the same name, or, if it is a telling one, anywhere.

    A dict may have got more keys on the way (``dataset=dict(split="train", **dataset)``).
    """
    node = _plain(node)
    if isinstance(value, dict) and isinstance(node, dict):
        kept = [key in node and node[key] == item for key, item in value.items()]
        return all(kept) and (same_name or bool(kept))
    telling = isinstance(value, list | tuple | str) and len(value) > 0
    return (same_name or telling) and type(node) is type(value) and node == value


def _plain(node: Any) -> Any:  # noqa: ANN401 (any config value)
    """Dicts of the config as plain ones, so that they compare by their items."""
    if isinstance(node, Mapping):
        return {key: _plain(item) for key, item in dict.items(node)}
    if isinstance(node, list | tuple):
        return type(node)(_plain(item) for item in node)
    return node
