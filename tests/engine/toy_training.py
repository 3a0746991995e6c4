"""Trains the toy ProCrop for a few steps and tests it; run by test_distributed.py, alone or under torchrun."""

import argparse
import json
from pathlib import Path

import torch
from mmengine.config import Config
from tiny_training import LossLogHook

ROOT = Path(__file__).resolve().parents[2]


def toy_config(data, folder, batch, launcher, config="configs/procrop_toy.py", distil_from=None):
    """The toy config on other data, small and without chance: 16 photos, 3 epochs, no dropout (it has none)."""
    cfg = Config.fromfile(ROOT / config)
    for split in ("train", "val", "test"):
        loader = cfg[f"{split}_dataloader"]
        loader.batch_size, loader.num_workers = batch, 0
        loader.dataset.data_root = str(data)
        if loader.dataset.get("references"):
            loader.dataset.references.update(
                gallery=str(data / "gallery_index"), table=str(data / "neighbours.npz")
            )
        for step in loader.dataset.pipeline:
            if step.type.endswith("Resize"):
                step.scale = (128, 96)
    cfg.train_dataloader.dataset.indices = 16
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    cfg.work_dir, cfg.launcher = str(folder), launcher
    if distil_from is not None:
        cfg.custom_hooks = [dict(type="SelfDistillationHook", begin_epoch=distil_from)]
    return cfg


def train(cfg, stop_after=None):
    """Train, or stop after an epoch as Ctrl-C does; every rank writes its losses."""
    from procrop.engine.runner import CropRunner

    runner = CropRunner.from_cfg(cfg)
    runner.register_hook(LossLogHook(Path(cfg.work_dir, "losses"), stop_after))
    runner.train()
    return runner


def run(cfg):
    """Train and test; every rank writes the figures it has."""
    runner = train(cfg)
    figures = dict(metrics={k: float(v) for k, v in runner.test().items()}, threads=torch.get_num_threads())
    Path(cfg.work_dir, f"metrics.{runner.rank}.json").write_text(json.dumps(figures))


def main():
    """Entry point under torchrun."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--distil-from", type=int)
    args = parser.parse_args()
    run(toy_config(args.data, args.folder, args.batch, "pytorch", distil_from=args.distil_from))


if __name__ == "__main__":
    main()
