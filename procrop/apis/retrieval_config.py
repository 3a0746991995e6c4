"""Retrieval encoders as they are named on a command line."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import procrop

if TYPE_CHECKING:
    from mmengine.config import Config

_WEIGHTS = (".pth", ".pt", ".ckpt", ".safetensors")


def read_retrieval_config(path: str | os.PathLike) -> dict:
    """A config that holds ``retrieval``, as plain values; every key of it is checked.

    Args:
        path: A config file; or what carries the config of its training: a checkpoint, the name of a model of
            ``procrop models list``, or the folder of an export.

    Raises:
        ValueError: There is no such file, it holds no ``retrieval``, or a key or type in it does not exist.
    """
    from procrop.engine import launch

    cfg = _carried_config(path) or launch.read_config(os.fspath(path), None)
    launch.finish_config(cfg, [])
    values = cfg.to_dict()
    retrieval = values.get("retrieval")
    if not isinstance(retrieval, dict) or "backbone" not in retrieval:
        raise ValueError(
            f"{path}: holds no `retrieval = dict(backbone=...)`; see configs/_base_/retrieval/efficientnet_lite0.py"
        )
    return values


def _carried_config(path: str | os.PathLike) -> "Config | None":
    """The config inside a checkpoint or an export; None for what is neither."""
    from procrop.engine import launch
    from procrop.model_zoo import read_zoo, resolve_checkpoint

    if not Path(path).exists() and os.fspath(path) in read_zoo().models:
        path = resolve_checkpoint(path)
    if Path(path).suffix in _WEIGHTS and Path(path).is_file():
        return launch.config_in_checkpoint(os.fspath(path), None)
    if Path(path).is_dir():
        from mmengine.config import Config

        from procrop.engine.config_text import parse_config_text
        from procrop.export import ExportFolder

        return Config(parse_config_text(ExportFolder.open(path).settings["config"]))
    return None


def read_encoders(specs: Sequence[str]) -> dict[str, dict]:
    """The ``retrieval`` config of each encoder named on a command line.

    Args:
        specs: A config file that holds ``retrieval``, the name of a file in ``configs/_base_/retrieval`` without
            suffix, or ``name=`` followed by either; without a name, the file's is taken.

    Returns:
        Name to ``retrieval`` dict, in the order given.

    Raises:
        ValueError: No such file, no ``retrieval`` in it, a name that is used twice or cannot name a folder.
    """
    encoders: dict[str, dict] = {}
    for spec in specs:
        name, _, place = spec.rpartition("=")
        path = _config_path(place)
        name = name or path.stem
        if name in encoders:
            raise ValueError(f"two encoders are named {name!r}; give one another name: other={place}")
        if name.startswith(".") or any(not (char.isalnum() or char in "-_.+") for char in name):
            raise ValueError(f"{name!r} cannot name a folder; take letters, digits, - and _")
        encoders[name] = read_retrieval_config(path)["retrieval"]
    return encoders


def _config_path(place: str) -> Path:
    folder = Path(procrop.__file__).parents[1] / "configs" / "_base_" / "retrieval"
    for path in (Path(place), folder / f"{place}.py"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in folder.glob("*.py"))) or "none is installed"
    raise ValueError(f"{place!r} is neither a config file nor the name of an encoder ({known})")
