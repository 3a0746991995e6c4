"""Stop at the first NaN, before it reaches the weights."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from procrop.registry import HOOKS


class NonFiniteLossError(RuntimeError):
    """A loss term is NaN or infinite; the message names the step, the photos and the terms."""


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raise :class:`NonFiniteLossError` when a loss term is not finite.

    It looks at the model's output, after the forward and before the backward pass, so neither the weights nor the
    checkpoints ever see the NaN. One comparison per step.
    """

    def __init__(self) -> None:
        self._batch: Any = None
        self._handle: torch.utils.hooks.RemovableHandle | None = None

    def before_train(self, runner: Runner) -> None:
        """Watch the model's output."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model

        def check(module: torch.nn.Module, _inputs: tuple, output: Any) -> None:
            if module.training and isinstance(output, dict):
                self._check(runner, output)

        self._handle = model.register_forward_hook(check)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the batch in mind, for the message."""
        self._batch = data_batch

    def after_train(self, runner: Runner) -> None:
        """Stop watching."""
        if self._handle is not None:
            self._handle.remove()

    def _check(self, runner: Runner, losses: dict[str, Any]) -> None:
        terms = {name: _total(value) for name, value in losses.items()}
        terms = {name: value for name, value in terms.items() if value is not None}
        if not terms or bool(torch.isfinite(torch.stack(list(terms.values())).sum())):
            return
        bad = [f"{name} = {value.item()}" for name, value in terms.items() if not torch.isfinite(value)]
        if not bad:  # each finite, the sum too large for float32
            bad = [f"{name} = {value.item()}" for name, value in terms.items()]
        raise NonFiniteLossError(
            f"The loss is not finite at epoch {runner.epoch + 1}, iteration {runner.iter + 1}: {', '.join(bad)}. "
            f"Photos of the batch: {', '.join(batch_ids(self._batch)) or 'unknown'}. The step was not taken. Look at "
            "their annotations first, then lower the learning rate or switch --amp off, and continue with --resume."
        )


def batch_ids(batch: Any) -> list[str]:
    """The ``img_id`` of each photo in a batch (``img_path`` where there is none)."""
    samples = batch.get("data_samples", []) if isinstance(batch, dict) else []
    ids = []
    for sample in samples if isinstance(samples, list | tuple) else []:
        name = getattr(sample, "img_id", None)
        ids.append(str(getattr(sample, "img_path", "?") if name is None else name))
    return ids


def _total(value: Any) -> torch.Tensor | None:
    """Sum of a loss term, scalar float32 on its device; None for what is not a loss term."""
    if isinstance(value, torch.Tensor):
        return value.detach().float().sum()
    if isinstance(value, list | tuple) and value and all(isinstance(v, torch.Tensor) for v in value):
        return torch.stack([v.detach().float().sum() for v in value]).sum()
    return None
