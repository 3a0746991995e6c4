"""Misspelt keys at the top level of a config, where every name is allowed because a config is also a program."""

import difflib
from collections.abc import Mapping
from typing import Any

from .errors import Problem, edit_distance
from .implicit import DEFAULT_HOOKS, runner_keys

# other pipelines and models are common names of variables, too close to these to tell
_NOT_GUESSED = frozenset({"tta_pipeline", "tta_model", "backend_args", "compile", "resume", "cfg"})
_SCALARS = frozenset({"work_dir", "load_from", "launcher", "log_level", "default_scope", "experiment_name"})


def misspelt_top_level(cfg: Mapping[str, Any]) -> list[Problem]:
    """Top-level keys that can only be a slip in the name of a key that the runner reads."""
    known = runner_keys()
    problems = []
    for key in cfg:
        if key in known or key.startswith("_"):
            continue
        right = next((name for name in sorted(known - _NOT_GUESSED) if _is_slip(key, name, cfg)), None)
        if right is not None:
            problems.append(
                Problem("", key, f"unknown key `{key}` at the top level: did you mean `{right}`?")
            )
    return problems


def misspelt_hooks(hooks: Mapping[str, Any]) -> list[Problem]:
    """Entries of ``default_hooks`` that meant to replace a hook and would be added beside it."""
    problems = []
    for key in hooks:
        right = next((name for name in sorted(DEFAULT_HOOKS) if 0 < edit_distance(key, name) <= 2), None)
        if right is not None and len(right) > 5 and key not in DEFAULT_HOOKS:
            message = f"unknown hook `{key}` at `default_hooks`: did you mean `{right}`?"
            problems.append(Problem("default_hooks", key, message))
    return problems


def _is_slip(key: str, name: str, cfg: Mapping[str, Any]) -> bool:
    """Whether ``key`` is a misspelt ``name`` beyond reasonable doubt.

    A slip that leaves a long name recognisable, or that swaps letters, counts even when the right name is there
    too (it comes from a base file, and the slip is the override that does nothing). Where the two differ by a plural
    or a number, or by more, they may well be two variables: it counts only when the right name is absent.
    """
    if not _fits(cfg[key], name):
        return False
    distance = edit_distance(key, name)
    absent = name not in cfg
    if key.rstrip("s0123456789_") == name.rstrip("s_"):
        return absent and distance == 1
    if sorted(key) == sorted(name) and distance <= 2:
        return True
    if len(name) >= 9 and distance <= 2:
        return True
    close = difflib.SequenceMatcher(None, key, name).ratio() >= 0.85
    return absent and (distance == 1 or close)


def _fits(value: Any, name: str) -> bool:
    """Whether the value is of the kind that the key takes."""
    if value is None:
        return True
    return isinstance(value, str) if name in _SCALARS else isinstance(value, Mapping | list | tuple)
