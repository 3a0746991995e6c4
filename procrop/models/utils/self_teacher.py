"""A slow copy of the cropper, whose scores soften the labels that the cropper learns from."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from procrop.structures import CropDataSample

from ..heads import SoftTargets


class SelfTeacher:
    """The teacher of self-distillation for sparsely annotated data (Jia et al. 2022).

    It starts as a copy of the student and follows it after every step, T ← β T + (1 − β) S, in all weights; buffers
    are the student's. Its scores are read slot by slot: anchor n of the teacher softens the label of anchor n.

    What the paper leaves open is read thus: the teacher sees the very batch of the student, distorted alike; it is in
    evaluation mode, so that its targets are free of dropout and it draws no random number; of its decoder layers the
    last one counts, for every layer of the student.

    A plain object and no module: the student that holds it neither saves, nor trains, nor synchronises it.

    Args:
        student (nn.Module): A cropper whose ``mode="tensor"`` gives logits (L, B, N) first.
        beta (float): β, the share that the teacher keeps, in [0, 1).
        weight (float): Share of the classification loss that follows the teacher, in [0, 1].

    Raises:
        ValueError: A share is out of range.
    """

    def __init__(self, student: nn.Module, beta: float = 0.5, weight: float = 0.5) -> None:
        if not 0 <= beta < 1 or not 0 <= weight <= 1:
            raise ValueError(
                f"self-distillation needs 0 <= beta < 1 and 0 <= weight <= 1, got {beta}, {weight}"
            )
        self.beta, self.weight = beta, weight
        self.model = copy.deepcopy(student).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Follow the student by one step."""
        for mine, theirs in zip(self.model.parameters(), student.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.beta)  # leaves frozen weights as they are, to the bit
        for mine, theirs in zip(self.model.buffers(), student.buffers(), strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def soft_targets(self, batch_inputs: Tensor, data_samples: Sequence[CropDataSample]) -> SoftTargets:
        """The scores (B, N) that the teacher gives to the student's batch, and how much they count."""
        logits = self.model(batch_inputs, data_samples, mode="tensor")[0]
        return SoftTargets(logits[-1].sigmoid(), self.weight)
