"""Command-line overrides of a config, of which none can be misspelt unnoticed."""

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config, DictAction

from . import lookup
from .errors import ConfigError, Problem, did_you_mean
from .implicit import implicit_keys, runner_keys
from .places import FREE_KEYS, Path, place_of
from .validate import Checker, dotted, is_component, raw_items


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
        ConfigError: A key that neither the config nor a signature knows (mmengine would add it without a word), or an
            override that is not ``key=value``. Nothing after the wrong one is applied.
    """
    flat = dict(pair for key, value in _parsed(options).items() for pair in _flat(cfg, key, value))
    for key, value in sorted(flat.items(), key=lambda item: not item[0].endswith("type")):
        problem = _problem(cfg, key)
        if problem is not None:
            raise ConfigError([problem])
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


def _problem(cfg: Config, key: str) -> Problem | None:
    """What is wrong with one dotted key, or None."""
    top = raw_items(cfg)
    node, above, path = top, {}, ()
    for part in key.split("."):
        if isinstance(node, list | tuple):
            if not part.isdigit() or int(part) >= len(node):
                return _unknown(key, part, path, f"a list of {len(node)}", [str(i) for i in range(len(node))])
            node, path = node[int(part)], (*path, int(part))
            continue
        if not isinstance(node, Mapping):
            return Problem(
                key, part, f"--cfg-options: `{key}` cannot be set: `{dotted(path)}` is {node!r}, no dict"
            )
        items = raw_items(node)
        if part not in items:
            return _missing(key, part, path, items, above, top.get("default_scope") or lookup.DEFAULT_SCOPE)
        node, above, path = items[part], items, (*path, part)
    return None


def _missing(
    key: str, part: str, path: Path, items: dict[str, Any], above: Mapping[str, Any], scope: str
) -> Problem | None:
    """A key that the config does not have: fine if the component at that place takes it."""
    if not path:
        known = runner_keys() | set(items)
        return None if part in known else _unknown(key, part, path, "the config", known)
    if any(step in FREE_KEYS for step in path):
        return None
    if is_component(items):
        checker, place, scope = Checker(scope), place_of(path), items.get("_scope_") or scope
        try:
            candidates = checker.candidates(items["type"], place, scope)
        except lookup.MissingPackage:
            return None
        accepted = [checker.accepted(component, items, place, scope) for component in candidates]
        if any(a.open or part in a.names for a in accepted):
            return None
        known = set(items).union(*(a.names for a in accepted))
        return _unknown(key, part, path, str(items["type"]), known)
    implicit = implicit_keys(path, items, above)
    if implicit is not None:
        what, accepted = implicit
        return (
            None
            if accepted.open or part in accepted.names
            else _unknown(key, part, path, what, accepted.names)
        )
    return _unknown(key, part, path, "which has no such key", items)


def _unknown(key: str, part: str, path: Path, what: str, known: Collection[str]) -> Problem:
    place = dotted(path) or "top level"
    hint = did_you_mean(part, known)
    return Problem(key, part, f"--cfg-options: unknown key `{part}` of `{key}` at `{place}` ({what}): {hint}")
