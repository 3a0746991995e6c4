"""The config of a training, made small: what it names, and how its parts fit, stays."""

import copy
import itertools
from collections.abc import Callable

from mmengine.config import Config
from stand_ins import SMALL_SAM

SIDE = 128  # long side of the photos
CHANNELS = 8  # of ResNet's stem, of 64
_runs = itertools.count()


def runnable(cfg: Config, name: str) -> Config:
    """A copy that trains one epoch on a handful of photos without downloads."""
    cfg = copy.deepcopy(cfg)
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(loader) is not None:
            cfg[loader].update(num_workers=0, persistent_workers=False)
            cfg[loader].batch_size = min(cfg[loader].batch_size, 2)
    if cfg.get("train_cfg"):
        cfg.train_cfg.update(max_epochs=1, val_interval=1)
    if checkpoint := cfg.get("default_hooks", {}).get("checkpoint"):
        checkpoint.update(interval=1000, save_last=False)  # the best one is written
    visit(cfg.get("model"), _without_weights)
    # mmengine shares loggers and message hubs between runs of one name
    cfg.work_dir, cfg.experiment_name, cfg.log_level = f"runs/{name}", f"{name}{next(_runs)}", "ERROR"
    return cfg


def shrunk(cfg: Config, name: str) -> Config:
    """A runnable copy whose photos, layers and backbone are small too."""
    cfg = runnable(cfg, name)
    visit(cfg._cfg_dict, _smaller_photos)
    model = cfg.get("model")
    visit(model, _fewer_layers)
    backbone = (model or {}).get("backbone") or {}
    if backbone.get("type") == "ResNet":
        backbone.base_channels = CHANNELS
        model.neck.in_channels = [channels * CHANNELS // 64 for channels in model.neck.in_channels]
    if backbone.get("type") == "SAMBackbone":
        backbone.arch = SMALL_SAM
    if model and model.data_preprocessor.get("pad_size_divisor", 1) > SIDE:
        model.data_preprocessor.pad_size_divisor = SIDE
    return cfg


def visit(node, change: Callable[[dict], None]) -> None:
    """Apply a change to every dict at and below a node."""
    if isinstance(node, dict):
        change(node)
        for value in node.values():
            visit(value, change)
    elif isinstance(node, list | tuple):
        for value in node:
            visit(value, change)


def _without_weights(node: dict) -> None:
    if (node.get("init_cfg") or {}).get("type") == "Pretrained":
        node["init_cfg"] = None
    if node.get("type") == "SAMBackbone":
        node["checkpoint"] = None


def _smaller_photos(node: dict) -> None:
    for key in ("scale", "scales"):
        if key in node and "Resize" in str(node.get("type")):
            several = isinstance(node[key], list)
            scales = node[key] if several else [node[key]]
            small = [tuple(max(32, side * SIDE // max(scale)) for side in scale) for scale in scales]
            node[key] = small if several else small[0]


def _fewer_layers(node: dict) -> None:
    for key, most in (("num_layers", 2), ("feedforward_channels", 32)):
        if isinstance(node.get(key), int):
            node[key] = min(node[key], most)
