"""Reading weights safely: no checkpoint can run code, and none is loaded where it does not fit.

A ``.pth`` file is a pickle, and a pickle can call any function. Everything here goes through torch's
restricted reader (``weights_only``) with the short allow-list of ``_safe_globals``; ``.safetensors`` files hold
tensors only. :func:`install_safe_loading` puts the same reader behind mmengine, so that ``load_from``, ``init_cfg``
and resuming use it too.
"""

import argparse
import os
import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from procrop.engine.published_weights import METADATA_KEY, as_trained, unpack_meta
from procrop.io.manifest import sha256_file

_HISTORY_METHODS = ("min", "max", "mean", "current")


class CheckpointError(ValueError):
    """A checkpoint is absent, damaged, unsafe or does not fit; the message names the file and the remedy."""


def load_checkpoint_file(
    path: str | os.PathLike, sha256: str | None = None, map_location: str | torch.device | Callable = "cpu"
) -> dict[str, Any]:
    """Read a checkpoint without letting it run any code.

    Args:
        path: A ``.pth``/``.pt`` file of torch, or a ``.safetensors`` file.
        sha256: Expected SHA-256 of the file in hex; checked before anything is read.
        map_location: Where tensors shall live, as for ``torch.load``.

    Returns:
        What the file holds. A ``.safetensors`` file comes as ``{"state_dict": tensors, "meta": its metadata}``; one
        that this project published has ``meta["procrop"]`` as a training writes it, and its float16 is float32 again.

    Raises:
        CheckpointError: The file is missing, damaged, has another hash, or holds objects that are not allowed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint file")
    if sha256 is not None:
        actual = sha256_file(path)
        if actual != sha256.lower():
            raise CheckpointError(
                f"{path}: SHA-256 is {actual}, expected {sha256.lower()}: "
                "not the right file, or damaged; fetch it again"
            )
    if path.suffix == ".safetensors":
        return _read_safetensors(path, map_location)
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(path, error) from None
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, OSError) as error:
        raise CheckpointError(
            f"{path}: damaged, or not a checkpoint ({str(error).split('. ')[0]})"
        ) from error
    except Exception as error:
        # what the restricted reader stumbles over depends on where the bytes are wrong; its texts help nobody
        raise CheckpointError(f"{path}: damaged, or not a checkpoint") from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f"{path}: holds a {type(checkpoint).__name__}, but a checkpoint is a dict")
    return checkpoint


def _read_safetensors(path: Path, map_location: str | torch.device | Callable) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError("reading .safetensors needs: pip install safetensors") from error
    device = str(map_location) if isinstance(map_location, str | torch.device) else "cpu"
    try:
        with safe_open(path, framework="pt", device=device) as file:
            meta = unpack_meta(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # a method of the file, no dict
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged, or not a safetensors file ({error})") from error
    if METADATA_KEY in meta:
        tensors = {key: as_trained(tensor) for key, tensor in tensors.items()}
    return {"state_dict": tensors, "meta": meta}


def _refusal(path: Path, error: pickle.UnpicklingError) -> CheckpointError:
    """Tell a pickle that asks for forbidden objects from one that is no pickle at all."""
    text = str(error)
    named = re.search(r"GLOBAL ([\w.]+)", text) or re.search(
        r"function <(?:built-in )?(?:function )?([\w.]+)", text
    )
    blocked = "locklisted" in text or "blocked" in text
    if named is None and not blocked and "Unsupported" not in text and "add_safe_globals" not in text:
        return CheckpointError(f"{path}: damaged, or not a checkpoint")
    what = f"`{named.group(1)}`" if named else "an object"
    return CheckpointError(
        f"{path}: refused, nothing of it was run: it asks for {what}, which is not among the few types that weights "
        "need. A file from an unknown source may be an attack; if you trust its maker, ask for .safetensors."
    )


def _history_method(owner: Any, name: str) -> Callable:
    """Stand-in for ``getattr`` in checkpoints: mmengine's log buffers pickle their four statistics through it."""
    if owner is HistoryBuffer and name in _HISTORY_METHODS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f"Unsupported global: GLOBAL builtins.getattr of {name!r}")


def _safe_globals() -> list:
    """What a checkpoint may hold beyond tensors and plain Python data; pairs map an older name to the object."""
    array, scalar = np._core.multiarray._reconstruct, np._core.multiarray.scalar
    number_types = [type(np.dtype(code)) for code in "?bhilqBHILQefdFDU"]
    return [
        HistoryBuffer,
        (_history_method, "builtins.getattr"),
        (_history_method, "__builtin__.getattr"),
        argparse.Namespace,  # DETR-family checkpoints keep their command line in one
        np.ndarray,
        np.dtype,
        *dict.fromkeys(number_types),
        *((array, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
        *((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    ]


def state_dict_of(checkpoint: Mapping[str, Any], name: str = "the checkpoint") -> dict[str, torch.Tensor]:
    """The model's weights in a checkpoint of mmengine (``state_dict``), DETR (``model``) or bare tensors.

    The prefix ``module.`` of data-parallel wrappers is dropped.

    Raises:
        CheckpointError: Nothing in it looks like weights.
    """
    for key in ("state_dict", "model"):
        if isinstance(checkpoint.get(key), Mapping):
            checkpoint = checkpoint[key]
            break
    weights = {k.removeprefix("module."): v for k, v in checkpoint.items() if isinstance(v, torch.Tensor)}
    if not weights:
        raise CheckpointError(
            f"{name}: holds no weights (neither `state_dict`, nor `model`, nor bare tensors)"
        )
    return weights


@dataclass
class LoadReport:
    """What :func:`load_weights` did, by parameter name."""

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[tuple[str, tuple, tuple]] = field(
        default_factory=list
    )  # name, shape in file, shape in model

    def problems(self, allow: Iterable[str] = ()) -> list[str]:
        """One phrase per kind of misfit, with count and first names, without names that start with one of ``allow``."""
        allow = tuple(allow)
        missing = [k for k in self.missing if not k.startswith(allow)] if allow else self.missing
        unexpected = [k for k in self.unexpected if not k.startswith(allow)] if allow else self.unexpected
        shapes = [m for m in self.mismatched if not (allow and m[0].startswith(allow))]
        phrases = []
        if missing:
            phrases.append(f"{_count(missing, 'weight')} of the model not in the file ({_first(missing)})")
        if unexpected:
            phrases.append(
                f"{_count(unexpected, 'weight')} of the file not in the model ({_first(unexpected)})"
            )
        if shapes:
            texts = [f"{key}: file {a}, model {b}" for key, a, b in shapes]
            phrases.append(f"{_count(shapes, 'weight')} of another shape ({_first(texts)})")
        return phrases

    def summary(self) -> str:
        """One line: how many weights were loaded, and what was not."""
        return "; ".join([f"{_count(self.loaded, 'weight')} loaded", *self.problems()])


def load_weights(
    model: torch.nn.Module,
    source: str | os.PathLike | Mapping[str, Any],
    strict: bool = True,
    allow: Iterable[str] = (),
    name: str | None = None,
) -> LoadReport:
    """Put a checkpoint's weights into a model; with a misfit the model stays as it was.

    Args:
        model: The bare model (not its distributed wrapper).
        source: A file, or a checkpoint already read.
        strict: Whether a misfit is an error. Otherwise what fits is loaded and the report tells the rest.
        allow: Prefixes of names that may be missing, unexpected or of another shape even then.
        name: What messages call the checkpoint; by default the file's path.

    Returns:
        What was and was not loaded.

    Raises:
        CheckpointError: With ``strict``: names or shapes differ; the message has counts and the first names.
    """
    if not isinstance(source, Mapping):
        name = name or str(source)
        source = load_checkpoint_file(source)
    name = name or "the checkpoint"
    weights, own = state_dict_of(source, name), model.state_dict()
    report = LoadReport()
    for key, value in own.items():
        if key not in weights:
            # the batch counter of normalisation layers is absent in older files and unused in evaluation
            if not key.endswith("num_batches_tracked"):
                report.missing.append(key)
        elif value.shape != weights[key].shape:
            report.mismatched.append((key, tuple(weights[key].shape), tuple(value.shape)))
        else:
            report.loaded.append(key)
    report.unexpected = [k for k in weights if k not in own and not k.endswith("num_batches_tracked")]
    problems = report.problems(allow)
    if strict and problems:
        raise CheckpointError(
            f"{name}: does not fit {type(model).__name__} ({len(report.loaded)} of {len(own)} weights match): "
            + "; ".join(problems)
            + ". Use the config it was trained with (a checkpoint of this project holds it), or set load_strict=False "
            "to start from the weights that fit."
        )
    model.load_state_dict({key: weights[key] for key in report.loaded}, strict=False)
    return report


def install_safe_loading() -> None:
    """Make mmengine read every checkpoint (local, URL, torchvision, OpenMMLab) with :func:`load_checkpoint_file`."""
    from mmengine.runner.checkpoint import CheckpointLoader

    for prefixes, loader in (
        ("", load_from_file),
        (("http://", "https://"), load_from_url),
        (("modelzoo://", "torchvision://"), load_from_torchvision),
        (("open-mmlab://", "openmmlab://"), load_from_openmmlab),
        (("mmcls://", "pavi://", r"(\S+\:)?s3://", r"(\S+\:)?petrel://"), load_from_elsewhere),
    ):
        CheckpointLoader.register_scheme(prefixes=prefixes, loader=loader, force=True)


def load_from_file(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
    """Loader of mmengine for local files."""
    return load_checkpoint_file(filename, map_location=map_location or "cpu")


def load_from_url(url: str, map_location: Any = "cpu") -> dict[str, Any]:
    """Loader of mmengine for URLs: rank 0 downloads into torch's cache, the hash in the file name is checked."""
    from mmengine.dist import barrier, is_main_process

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1].split("?")[0]
    if is_main_process() and not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = torch.hub.HASH_REGEX.search(path.name)
        try:
            torch.hub.download_url_to_file(
                url, str(path), prefix.group(1) if prefix else None, progress=False
            )
        except (OSError, RuntimeError) as error:
            barrier()
            raise CheckpointError(f"{url}: could not be fetched ({error}); put the file at {path}") from error
    barrier()
    return load_checkpoint_file(path, map_location=map_location or "cpu")


def load_from_torchvision(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
    """Loader of mmengine for ``torchvision://NAME``."""
    from mmengine.runner.checkpoint import get_torchvision_models

    return _load_named(filename, get_torchvision_models(), map_location)


def load_from_openmmlab(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
    """Loader of mmengine for ``open-mmlab://NAME``."""
    from mmengine.runner.checkpoint import get_external_models

    return _load_named(filename, get_external_models(), map_location)


def load_from_elsewhere(filename: str, map_location: Any = "cpu") -> dict[str, Any]:
    """Refuse the stores whose mmengine loaders would unpickle anything they get."""
    raise CheckpointError(f"{filename}: fetch the file first and give its local path")


def _load_named(filename: str, urls: Mapping[str, str], map_location: Any) -> dict[str, Any]:
    name = filename.split("://", 1)[1]
    if name not in urls:
        raise CheckpointError(f"{filename}: no such model; known names start with {_first(sorted(urls))}")
    return load_from_url(urls[name], map_location)


def _count(items: list, noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _first(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
