"""Trains a config for one epoch of one iteration, validates it and tests it, and looks at what comes out."""

import math

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from procrop.engine.run_config import RunConfig
from procrop.engine.runner import CropRunner


@HOOKS.register_module(force=True)
class GradientHook(Hook):
    """Keeps the loss, and the names of trainable parameters that have no gradient when the optimiser steps."""

    def __init__(self) -> None:
        self.losses, self.without, self.moved = [], [], False

    def before_train(self, runner) -> None:
        self.model = runner.model
        self.before = [p.detach().clone() for p in self.model.parameters() if p.requires_grad]
        runner.optim_wrapper.optimizer.register_step_pre_hook(self.look)

    def look(self, *args) -> None:
        named = self.model.named_parameters()
        self.without += [name for name, p in named if p.requires_grad and p.grad is None]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append(outputs["loss"].item())

    def after_train(self, runner) -> None:
        now = [p for p in self.model.parameters() if p.requires_grad]
        self.moved = any(not torch.equal(a, b) for a, b in zip(self.before, now, strict=True))


def train_and_test(cfg: Config) -> dict[str, float]:
    """Build, train, validate and test; returns the figures of both."""
    splits = [split for split in ("train", "val", "test") if cfg.get(f"{split}_dataloader")]
    runner = CropRunner.from_cfg(cfg)
    figures = {}
    if "train" in splits:
        seen = GradientHook()
        runner.register_hook(seen)
        runner.train()
        assert seen.losses and all(map(math.isfinite, seen.losses)), seen.losses
        assert not seen.without, f"no gradient reaches {seen.without}"
        assert seen.moved, "the optimiser moved nothing"
        figures |= {f"val {k}": v for k, v in _scalars(runner, "val").items()}
    figures |= {f"test {k}": float(v) for k, v in runner.test().items()}
    assert figures and all(map(math.isfinite, figures.values())), figures
    return figures


def _scalars(runner, mode: str) -> dict[str, float]:
    """Figures of the last validation."""
    scalars = runner.message_hub.log_scalars
    return {key: float(b.current()) for key, b in scalars.items() if key.startswith(f"{mode}/")}


class QuickText(RunConfig):
    """Stands for the formatted text of a config, which takes longer than all the rest."""

    text = property(lambda self: "".join(f"{k} = {v!r}\n" for k, v in self.to_dict().items()))
