"""Training of a student's head on cached features."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from procrop.networks.epoch_trainer import EpochTrainer
from procrop.networks.key_student import KeyHead

from .draws import epoch_plan, pool_plan
from .relation import key_loss, key_spread, neighbour_temperature, relational_loss, similarity
from .settings import DistillSettings

# photos that the temperature is taken from
_SAMPLE = 1024


@dataclass(frozen=True)
class TrainingData:
    """What the head learns from.

    Attributes:
        numbers: n photos as integers, see `DistillPhoto.number`.
        features: (views, n, f) float16 features of the frozen trunk.
        keys: (n, d) float32 teacher keys.
        sources: (n,) int64 source of each photo.
        pool_keys: (P, d) float32 teacher keys of the gallery's training photos.
        pool_sources: (P,) int64 their sources.
        metric: How keys are compared.
    """

    numbers: list[int]
    features: np.ndarray
    keys: np.ndarray
    sources: np.ndarray
    pool_keys: np.ndarray
    pool_sources: np.ndarray
    metric: str


class HeadTrainer(EpochTrainer):
    """AdamW on key distance and neighbour distribution.

    Args:
        head: The head, at its start; trained in place.
        data: What it learns from.
        settings: See `DistillSettings`.
        device: Where it is trained.
    """

    def __init__(self, head: KeyHead, data: TrainingData, settings: DistillSettings, device: str) -> None:
        self.data, self.settings, self.device = data, settings, torch.device(device)
        head = head.to(self.device)
        self.keys = torch.from_numpy(data.keys).to(self.device)
        self.spread = key_spread(self.keys, data.metric)
        self.temperature = self._temperature()
        hidden = [*head.inner.parameters(), *head.outer.parameters()]
        optimizer = torch.optim.AdamW(
            [
                {"params": hidden, "weight_decay": settings.weight_decay},
                {"params": list(head.linear.parameters()), "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
        )
        super().__init__(head, optimizer, settings.epochs, settings.batch_size)

    def _temperature(self) -> float:
        data = self.data
        pool_keys, pool_sources = self._pool(0)
        rows = pool_plan(len(data.keys), _SAMPLE, self.settings.seed, 0)
        own = torch.from_numpy(data.sources[rows]).to(self.device)[:, None] == pool_sources
        near = similarity(self.keys[torch.from_numpy(rows).to(self.device)], pool_keys, data.metric)
        return neighbour_temperature(near, own, self.settings.neighbours)

    def _pool(self, epoch: int) -> tuple[Tensor, Tensor]:
        rows = pool_plan(len(self.data.pool_keys), self.settings.pool, self.settings.seed, epoch)
        keys, sources = self.data.pool_keys[rows], self.data.pool_sources[rows]
        return torch.from_numpy(keys).to(self.device), torch.from_numpy(sources).to(self.device)

    def learning_rate(self, done: float) -> float:
        """Falls to zero along a cosine."""
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (done / self.settings.epochs)))

    def run_epoch(self, epoch: int) -> float:
        """One pass over the photos in the epoch's order, against the epoch's part of the gallery."""
        order, views = epoch_plan(self.data.numbers, self.settings.seed, epoch, len(self.data.features))
        pool = self._pool(epoch)
        return self.run_steps(
            epoch, len(order), lambda places: self._loss(order[places], views[places], *pool)
        )

    def _loss(self, rows: np.ndarray, views: np.ndarray, pool_keys: Tensor, pool_sources: Tensor) -> Tensor:
        data = self.data
        features = torch.from_numpy(data.features[views, rows]).to(self.device).float()
        student, teacher = self.network(features), self.keys[torch.from_numpy(rows).to(self.device)]
        own = torch.from_numpy(data.sources[rows]).to(self.device)[:, None] == pool_sources
        loss = key_loss(student, teacher, data.metric, self.spread)
        if self.settings.relational_weight:
            loss = loss + self.settings.relational_weight * relational_loss(
                similarity(student, pool_keys, data.metric),
                similarity(teacher, pool_keys, data.metric),
                own,
                self.temperature,
            )
        return loss
