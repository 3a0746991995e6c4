"""procrop-lite with one seed gives the same model, interrupted or not; with another seed it gives another one."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from one_iteration import QuickText
from shrunk import shrunk

from procrop.engine.checkpoint import load_checkpoint_file
from procrop.engine.run_config import RunConfig
from procrop.engine.runner import CropRunner

CONFIG = Path(__file__).parents[2] / "configs/procrop_lite.py"
EPOCHS = 3


@HOOKS.register_module(force=True)
class StopAfterLiteEpoch(Hook):
    """Ends the run as Ctrl-C does, once the checkpoint of an epoch is written."""

    priority = "LOWEST"

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == self.epoch:
            raise KeyboardInterrupt


def train(data, name, seed=0, stop_after=None, resume=False):
    """Train three small epochs; the checkpoint of the last one."""
    cfg = shrunk(Config.fromfile(CONFIG), name)
    cfg.work_dir, cfg.randomness.seed, cfg.resume = f"runs/{name}", seed, resume
    cfg.train_cfg.update(max_epochs=EPOCHS, val_interval=1)
    cfg.default_hooks.checkpoint.update(interval=1, save_last=True, save_best=None)
    warm_up, cosine = cfg.param_scheduler
    warm_up.end = cosine.begin = 1
    cosine.end, cfg.train_dataloader.batch_size = EPOCHS, 1
    if stop_after is not None:
        cfg.custom_hooks = [dict(type="StopAfterLiteEpoch", epoch=stop_after)]
    data.provide(cfg)
    runner = CropRunner.from_cfg(cfg)
    if stop_after is not None:
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        return None
    runner.train()
    return load_checkpoint_file(data.root / f"runs/{name}/epoch_{EPOCHS}.pth")


def figures(checkpoint) -> dict[str, list[float]]:
    scalars = checkpoint["message_hub"]["log_scalars"]
    kinds = ("train/loss", "train/lr", "val/crop_best")
    return {k: v.data[0].tolist() for k, v in scalars.items() if k.startswith(kinds)}


def trained(checkpoint) -> dict[str, torch.Tensor]:
    return {k: v for k, v in checkpoint["state_dict"].items() if not k.startswith("backbone.")}


def test_one_seed_gives_one_model(data, monkeypatch):
    monkeypatch.setattr(RunConfig, "pretty_text", QuickText.text)
    whole = train(data, "lite_whole")
    rates = figures(whole)["train/lr"]
    assert len(rates) == 2 * EPOCHS and max(rates) <= 7e-4 and rates[0] < rates[2] > rates[-1]
    train(data, "lite_parts", stop_after=2)
    parts = train(data, "lite_parts", resume="auto")
    assert figures(parts) == figures(whole) and figures(whole).keys() >= {"val/crop_best/iou@1", "train/loss"}
    torch.testing.assert_close(trained(parts), trained(whole), rtol=0, atol=0)
    other = train(data, "lite_other", seed=1)
    assert figures(other)["train/loss"] != figures(whole)["train/loss"]
