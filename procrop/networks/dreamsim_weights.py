"""DreamSim's published files, as its package keeps them in its cache folder: transformers, and adapters on
top."""

import json
import os

import torch
from torch import Tensor

from .dreamsim import DreamSim, DreamSimBranch
from .weights import load_strict, read_state

_RELEASE = "https://github.com/ssundaram21/dreamsim/releases/download/v0.2.0-checkpoints"
_DINO = "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth"
_REMEDY = "give the files of this variant's release"
# options of an adapter that change what it adds; all others are about training
_PLAIN = {"bias": "none", "fan_in_fan_out": False, "use_rslora": False, "use_dora": False}
_PLAIN_EMPTY = ("rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform")


def load_dreamsim(variant: str, folder: str | os.PathLike) -> DreamSim:
    """Build DreamSim from a folder and merge its adapters, so that it is plain transformers afterwards.

    Expected in ``folder``: what the release's zip holds (``NAME_pretrain.pth.tar`` of each CLIP branch and
    ``VARIANT_lora/``), and for a DINO branch DINO's own ``dino_vitbase16_pretrain.pth``, there or in
    ``checkpoints/``, where the package stores it.

    Raises:
        FileNotFoundError: Files are missing, with their names and addresses.
        ValueError: They are not those of this variant.
    """
    network = DreamSim(variant)
    folder = os.fspath(folder)
    adapter = _adapter_folder(variant, folder)
    paths = [_branch_file(branch.name, folder) for branch in network.branches]
    config, weights = os.path.join(adapter, "adapter_config.json"), _adapter_weights(adapter)
    _check_present(variant, folder, [*paths, config, weights])
    for branch, path in zip(network.branches, paths, strict=True):
        _load_branch(branch, path)
    _merge(network, config, weights)
    return network


def _branch_file(name: str, folder: str) -> str:
    if name != "dino_vitb16":
        return os.path.join(folder, f"{name}_pretrain.pth.tar")
    # the zip's own dino_vitb16_pretrain.pth holds DINO's training heads, which DreamSim does not use
    path = os.path.join(folder, os.path.basename(_DINO))
    return path if os.path.isfile(path) else os.path.join(folder, "checkpoints", os.path.basename(_DINO))


def _adapter_folder(variant: str, folder: str) -> str:
    return os.path.join(folder, "ensemble_lora" if variant == "ensemble" else f"{variant}_single_lora")


def _adapter_weights(adapter: str) -> str:
    path = os.path.join(adapter, "adapter_model.safetensors")
    older = os.path.join(adapter, "adapter_model.bin")
    return older if os.path.isfile(older) and not os.path.isfile(path) else path


def _check_present(variant: str, folder: str, paths: list[str]) -> None:
    missing = [os.path.relpath(path, folder) for path in paths if not os.path.isfile(path)]
    if not missing:
        return
    dino = [m for m in missing if os.path.basename(m) == os.path.basename(_DINO)]
    steps = [f"put {_DINO} into it"] if dino else []
    if len(missing) > len(dino):
        steps.insert(0, f"unpack {_RELEASE}/dreamsim_{variant}_checkpoint.zip in it")
    raise FileNotFoundError(
        f"{folder}: DreamSim {variant} needs {', '.join(missing)}, not found there; {' and '.join(steps)}"
    )


def _load_branch(branch: DreamSimBranch, path: str) -> None:
    """Fill a branch before the adapters; CLIP's files name the norm before the blocks after what DINO has there."""
    state = read_state(path)
    named = {}
    for key, value in state.items():
        key = key if key == "proj" else f"vit.{key}"
        named[key.replace("vit.pos_drop.", "vit.pre_norm.")] = value
    load_strict(branch, named, path, f"DreamSim's {branch.name}", _REMEDY)


def _merge(network: DreamSim, config_path: str, weights_path: str) -> None:
    """Add the low-rank products to the weights they adapt: W + alpha / r * B A."""
    scale, targets = _read_config(config_path)
    wanted = {
        _published(name): module
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Linear) and f".{name}".endswith(tuple(f".{t}" for t in targets))
    }
    names = {f"{name}.lora_{side}.weight" for name in wanted for side in "AB"}
    found = read_state(weights_path)
    missing, unexpected = sorted(names - found.keys()), sorted(found.keys() - names)
    misshapen = [] if missing else [name for name in wanted if not _fits(found, name, wanted[name])]
    if missing or unexpected or misshapen or not names:
        examples = ", ".join([*missing, *unexpected, *misshapen][:3])
        raise ValueError(
            f"{weights_path}: not the adapter of {' + '.join(b.name for b in network.branches)}: {len(missing)} keys "
            f"missing, {len(unexpected)} unexpected, {len(misshapen)} of another shape (e.g. {examples}); {_REMEDY}"
        )
    with torch.no_grad():
        for name, module in wanted.items():
            module.weight += (
                scale * found[f"{name}.lora_B.weight"].float() @ found[f"{name}.lora_A.weight"].float()
            )


def _published(name: str) -> str:
    """The name that an adapter gives to ``branches.I.vit.PATH``."""
    _, number, _, path = name.split(".", 3)
    return f"base_model.model.extractor_list.{number}.model.{path}"


def _fits(found: dict[str, Tensor], name: str, module: torch.nn.Linear) -> bool:
    a, b = found[f"{name}.lora_A.weight"], found[f"{name}.lora_B.weight"]
    return a.ndim == b.ndim == 2 and (len(b), a.shape[1]) == module.weight.shape and b.shape[1] == len(a)


def _read_config(path: str) -> tuple[float, list[str]]:
    """Scale and names of the adapted layers."""
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        scale, targets = config["lora_alpha"] / config["r"], config["target_modules"]
        if not isinstance(targets, list):
            raise TypeError(f"target_modules must be a list of names, not {targets!r}")
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"{path}: not the configuration of a LoRA adapter ({error!r}); {_REMEDY}") from error
    odd = [k for k, v in _PLAIN.items() if config.get(k, v) != v] + [k for k in _PLAIN_EMPTY if config.get(k)]
    if odd:
        raise ValueError(f"{path}: adapters with {', '.join(odd)} cannot be merged; {_REMEDY}")
    return scale, targets


def random_dreamsim(variant: str, seed: int, config: dict) -> DreamSim:
    """DreamSim with random weights, of the size that ``config`` (``width``, ``depth``, ``heads``, ``out_dim``) says."""
    unknown = sorted(config.keys() - {"width", "depth", "heads", "out_dim"})
    if unknown:
        raise ValueError(f"config takes width, depth, heads and out_dim, not {', '.join(unknown)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DreamSim(variant, **config)
