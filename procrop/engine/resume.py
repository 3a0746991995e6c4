"""Where to resume from, and what has changed since.

The file ``last_checkpoint`` in a work folder names the newest checkpoint. It is a hint only: when it is empty, stale
or wrong, or when the newest checkpoint is damaged, older checkpoints are tried in turn.
"""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from procrop.engine.checkpoint import CheckpointError, load_checkpoint_file

# where a run writes, how it starts and how it looks does not change what it learns
_HARMLESS = (
    "work_dir", "resume", "load_from", "load_strict", "launcher", "log_level", "log_processor", "visualizer",
    "vis_backends", "experiment_name", "env_cfg", "custom_imports", "default_hooks.logger", "default_hooks.checkpoint",
    "test_dataloader", "test_evaluator", "test_cfg",
)  # fmt: skip
# what the checkpoint's own state overrides when it is loaded
_RESTORED = ("optim_wrapper.optimizer", "param_scheduler")


def find_resumable_checkpoint(work_dir: str | os.PathLike) -> Path | None:
    """The newest readable epoch or iteration checkpoint of a work folder; damaged ones are named and passed over.

    Args:
        work_dir: Folder of an earlier run; it may have been moved since, or be absent.

    Returns:
        The file, or None when there is nothing to resume from.

    Raises:
        CheckpointError: There are checkpoints, but none can be read.
    """
    candidates = _candidates(Path(work_dir))
    for path in candidates:
        try:
            load_checkpoint_file(path)
        except CheckpointError as error:
            print_log(
                f"Passed over while looking for a checkpoint to resume: {error}", "current", logging.WARNING
            )
        else:
            return path
    if candidates:
        raise CheckpointError(
            f"{work_dir}: none of its {len(candidates)} checkpoints can be read; give a good one with --resume PATH, "
            "or start anew in another --work-dir"
        )
    return None


def _candidates(folder: Path) -> list[Path]:
    """Checkpoints of ``folder``: first what ``last_checkpoint`` names, then by falling number."""
    numbered = [
        (int(match.group(1)), path)
        for path in folder.glob("*.pth")
        if (match := re.fullmatch(r"(?:epoch|iter)_(\d+)\.pth", path.name))
    ]
    found = [path for _, path in sorted(numbered, reverse=True)]
    hint = folder / "last_checkpoint"
    try:
        # only the name counts: the folder in it is where the run was once
        named = folder / Path(hint.read_text(encoding="utf-8", errors="replace").strip()).name
        present = named != folder and named.is_file()
    except (OSError, ValueError):
        present = False
    return [named, *(path for path in found if path != named)] if present else found


def config_changes(old: Config, new: Config) -> list[str]:
    """What in a config changed in a way that bears on training.

    Args:
        old: The config inside the checkpoint.
        new: The config of the run that resumes.

    Returns:
        One line per changed setting, ``"key: old -> new"``, sorted by key; paths, logging and the like are left out.
    """
    before, after = _flatten(old.to_dict()), _flatten(new.to_dict())
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if before.get(key, _ABSENT) == after.get(key, _ABSENT) or _under(key, _HARMLESS):
            continue
        note = " (the checkpoint's state wins)" if _under(key, _RESTORED) else ""
        lines.append(f"{key}: {_show(before, key)} -> {_show(after, key)}{note}")
    return lines


_ABSENT = object()


def _under(key: str, prefixes: tuple[str, ...]) -> bool:
    return any(key == prefix or key.startswith((prefix + ".", prefix + "[")) for prefix in prefixes)


def _show(settings: Mapping[str, Any], key: str) -> str:
    return repr(settings[key])[:80] if key in settings else "absent"


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key; tuples count as lists, which a config's text does not always keep apart."""
    if isinstance(value, Mapping) and value:
        return {
            k: v
            for key, item in value.items()
            for k, v in _flatten(item, f"{prefix}.{key}".lstrip(".")).items()
        }
    if isinstance(value, list | tuple) and value:
        return {k: v for i, item in enumerate(value) for k, v in _flatten(item, f"{prefix}[{i}]").items()}
    return {prefix: list(value) if isinstance(value, tuple) else value}
