"""Command-line overrides of a config, of which none can be misspelt unnoticed."""

import argparse
import copy
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction

from . import lookup
from .built_from import parts_of
from .errors import ConfigError, Problem, did_you_mean
from .implicit import implicit_keys, runner_keys
from .places import FREE_KEYS, Path, place_of
from .signatures import Accepted, accepted_keys, default_of
from .validate import Checker, describe, dotted, is_component, raw_items
from .variables import overrides_without_effect

_FREE = object()  # a place below which nothing can be said


def merge_cfg_options(cfg: Config, options: Mapping[str, Any] | Sequence[str]) -> Config:
    """Apply overrides such as ``model.bbox_head.num_queries=24``; list items go by number (``a.b.0.c``).

    A key counts as known if the config has it, or if the component at its place takes it. Overrides of a ``type`` are
    applied first, so that the others are checked against the new component.

    Args:
        cfg: The config; changed in place.
        options: Dotted keys with their values, or ``key=value`` strings as a command line gives them.

    Returns:
        Config: The same config.

    Raises:
        ConfigError: A key that neither the config nor a signature knows (mmengine would add it without a word), one
            that has no effect because it names a variable of the file, or an override that is not ``key=value``.
            Nothing after the wrong one is applied.
    """
    flat = dict(pair for key, value in _parsed(options).items() for pair in _flat(cfg, key, value))
    problems = overrides_without_effect(raw_items(cfg), list(flat))
    if problems:
        raise ConfigError(problems)
    for key, value in sorted(flat.items(), key=lambda item: not item[0].endswith("type")):
        walk = _Walk(cfg, key)
        if walk.problem is not None:
            raise ConfigError([walk.problem])
        if walk.defaults:
            cfg.merge_from_dict(walk.defaults)
        cfg.merge_from_dict({key: value})
    return cfg


def _parsed(options: Mapping[str, Any] | Sequence[str]) -> dict[str, Any]:
    if isinstance(options, Mapping):
        return dict(options)
    for option in options:
        if "=" not in option or option.startswith("="):
            raise ConfigError([Problem(option, option, f"--cfg-options: `{option}` is not key=value")])
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, default={})
    try:
        return dict(parser.parse_args(["--cfg-options", *options]).cfg_options) if options else {}
    except (
        AssertionError,
        RecursionError,
        ValueError,
    ) as error:  # mmengine reads simple values and lists only
        text = "--cfg-options: a value cannot be read; write dicts into a config file"
        raise ConfigError([Problem("", " ".join(options), f"{text}: {' '.join(options)}")]) from error


def _flat(cfg: Config, key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A dict that would be merged into a dict of the config, as one override per key; anything else as it is."""
    node: Any = raw_items(cfg)
    for part in key.split("."):
        node = raw_items(node).get(part) if isinstance(node, Mapping) else None
    if not (isinstance(node, Mapping) and isinstance(value, Mapping)) or "_delete_" in value:
        yield key, value
        return
    for name, item in value.items():
        yield from _flat(cfg, f"{key}.{name}", item)


class _Walk:
    """The way along one dotted key, from the top of a config to the place that is overridden.

    A part that the config leaves to the default of its component is entered as that default:
    ``post_norm_cfg.eps=1e-6`` keeps the type that ``post_norm_cfg`` has by itself.

    Args:
        cfg: The config.
        key: The dotted key.

    Attributes:
        problem: What is wrong with the key, or None.
        defaults: Defaults to put into the config first, by dotted key.
    """

    def __init__(self, cfg: Config, key: str) -> None:
        self.key = key
        self.top = raw_items(cfg)
        self.scope = self.top.get("default_scope") or lookup.DEFAULT_SCOPE
        self.checker = Checker(self.scope)
        self.problem: Problem | None = None
        self.defaults: dict[str, Any] = {}
        node, above, path, made = self.top, {}, (), ()
        for part in key.split("."):
            if isinstance(node, list | tuple):
                node, path, made = (
                    self._item(node, part, path),
                    (*path, int(part) if part.isdigit() else part),
                    (),
                )
            elif isinstance(node, Mapping):
                items = raw_items(node)
                self.scope = items.get("_scope_") or self.scope
                node, made = self._value(part, path, items, above, made)
                above, path = items, (*path, part)
            else:
                text = f"--cfg-options: `{key}` cannot be set: `{dotted(path)}` is {node!r}, no dict"
                self.problem = Problem(key, part, text)
            if self.problem is not None or node is _FREE:
                return

    def _item(self, node: Sequence[Any], part: str, path: Path) -> Any:  # noqa: ANN401 (any config value)
        if part.isdigit() and int(part) < len(node):
            return node[int(part)]
        self.problem = _unknown(
            self.key, part, path, f"a list of {len(node)}", [str(i) for i in range(len(node))]
        )
        return None

    def _value(
        self, part: str, path: Path, items: dict[str, Any], above: Mapping[str, Any], made: tuple[type, ...]
    ) -> tuple[Any, tuple[type, ...]]:
        """The value of a key, and the classes that it may be made into; _FREE where the rest cannot be judged."""
        try:
            components = list(made) or self._components(items, path)
        except lookup.MissingPackage:
            return items.get(part, _FREE), ()
        inner = tuple(c for component in components for c in parts_of(component).get(part, ()))
        if part in items:
            return items[part], inner if isinstance(items[part], Mapping) else ()
        self.problem = self._missing(part, path, items, above, components, made)
        default = next(filter(None, (default_of(component, part) for component in components)), None)
        if isinstance(default, Mapping) and ".".join(map(str, (*path, part))) != self.key:
            self.defaults[dotted((*path, part))] = copy.deepcopy(dict(default))
            return default, inner
        return ({} if inner else _FREE), inner

    def _components(self, items: dict[str, Any], path: Path) -> list[Callable]:
        return (
            self.checker.candidates(items["type"], place_of(path), self.scope) if is_component(items) else []
        )

    def _missing(
        self,
        part: str,
        path: Path,
        items: dict[str, Any],
        above: Mapping[str, Any],
        components: list[Callable],
        made: tuple[type, ...],
    ) -> Problem | None:
        """A key that the config does not have: fine if the component at that place takes it."""
        if any(step in FREE_KEYS for step in path):
            return None
        if not path:
            what, accepted = "the config", [Accepted(runner_keys())]
        elif made:
            what, accepted = describe(made[0]), [accepted_keys(c) for c in made]
        elif is_component(items):
            place = place_of(path)
            what = str(items["type"])
            accepted = [self.checker.accepted(c, items, place, self.scope) for c in components]
        elif (implicit := implicit_keys(path, items, above)) is not None:
            what, accepted = implicit[0], [implicit[1]]
        else:
            what, accepted = "which has no such key", [Accepted(frozenset(items))]
        if any(a.open or part in a.names for a in accepted):
            return None
        known = (set(items) if path else set()).union(*(a.names for a in accepted))
        return _unknown(self.key, part, path, what, known)


def _unknown(key: str, part: str, path: Path, what: str, known: Collection[str]) -> Problem:
    place = dotted(path) or "top level"
    hint = did_you_mean(part, known)
    return Problem(key, part, f"--cfg-options: unknown key `{part}` of `{key}` at `{place}` ({what}): {hint}")
