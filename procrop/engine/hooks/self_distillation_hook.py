"""Late in training, a cropper learns from a slow copy of itself."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from procrop.engine.checkpoint import load_weights
from procrop.registry import HOOKS

_KEY = "teacher_state_dict"


@HOOKS.register_module()
class SelfDistillationHook(Hook):
    """Self-distillation of Jia et al. 2022 for sparsely annotated data (CPC): from some epoch on, half of the
    classification loss follows a teacher, which is an average of the student over its last steps.

    The teacher is kept in checkpoints beside the model, under ``teacher_state_dict``, so that a resumed training goes
    on exactly; who loads a checkpoint for use does not see it. It needs as much memory as the model, and one more
    forward pass a step. In a distributed training every process has an equal teacher, for the students are equal.

    Args:
        begin_epoch: Epochs trained without a teacher; then it is made, as a copy of the student. Jia et al.: 45 of 50.
        beta: Share β of itself that the teacher keeps at each iteration, T ← β T + (1 − β) S.
        weight: Share of the classification loss that follows the teacher.

    Attributes:
        teacher (SelfTeacher, optional): The teacher, from ``begin_epoch`` on.

    Raises:
        ValueError: The model's head takes no soft targets, or a share is out of range.
    """

    def __init__(self, begin_epoch: int = 45, beta: float = 0.5, weight: float = 0.5) -> None:
        self.begin_epoch, self.beta, self.weight = begin_epoch, beta, weight
        self.teacher = None
        self._saved: dict[str, torch.Tensor] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember the teacher of a training that is resumed; one that merely starts from weights has none yet."""
        self._saved = checkpoint.get(_KEY) if runner._resume else None

    def before_train(self, runner: Runner) -> None:
        """Refuse at the start what would fail epochs later."""
        model = _bare(runner.model)
        if not getattr(model, "takes_soft_targets", False):
            raise ValueError(
                f"SelfDistillationHook: {type(model).__name__} cannot learn from a teacher's scores; "
                "use a ProCrop with a CropDETRHead, or take the hook out of the config"
            )
        if self.begin_epoch >= runner.max_epochs:
            runner.logger.warning(
                f"SelfDistillationHook begins after epoch {self.begin_epoch}, but there are {runner.max_epochs}: "
                "it will do nothing"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Make the teacher when its time has come."""
        if self.teacher is not None or runner.epoch < self.begin_epoch:
            return
        from procrop.models.utils import SelfTeacher

        model = _bare(runner.model)
        self.teacher = SelfTeacher(model, self.beta, self.weight)
        if self._saved is not None:
            load_weights(self.teacher.model, {"state_dict": self._saved}, name="the checkpoint's teacher")
            self._saved = None
        elif runner.epoch > self.begin_epoch:
            runner.logger.warning("The checkpoint holds no teacher: it starts as a copy of the resumed model")
        model.teacher = self.teacher

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Let the teacher follow."""
        if self.teacher is not None:
            self.teacher.update(_bare(runner.model))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the teacher beside the model."""
        if self.teacher is not None:
            state = self.teacher.model.state_dict()
            checkpoint[_KEY] = {name: value.cpu() for name, value in state.items()}

    def after_train(self, runner: Runner) -> None:
        """Leave the model as it was."""
        _bare(runner.model).teacher = None


def _bare(model: torch.nn.Module) -> torch.nn.Module:
    return model.module if is_model_wrapper(model) else model
