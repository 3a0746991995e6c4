"""Training of a student's head on cached features; killed at any moment, it goes on as if it had not been."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from procrop.io.progress import progress
from procrop.networks.key_student import KeyHead
from procrop.networks.training_state import TrainingStateError, load_training_state, save_training_state

from .draws import epoch_plan, pool_plan
from .relation import key_loss, key_spread, neighbour_temperature, relational_loss, similarity
from .settings import DistillSettings

# a kill costs no more than this many seconds of training
_SAVE_EVERY = 20.0
# photos that the temperature is taken from
_SAMPLE = 1024


class DistillError(ValueError):
    """A distillation that cannot go on; the message says what to do."""


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


class HeadTrainer:
    """AdamW on key distance and neighbour distribution.

    Args:
        head: The head, at its start; trained in place.
        data: What it learns from.
        settings: See `DistillSettings`.
        device: Where it is trained.
    """

    def __init__(self, head: KeyHead, data: TrainingData, settings: DistillSettings, device: str) -> None:
        self.data, self.settings, self.device = data, settings, torch.device(device)
        self.head = head.to(self.device)
        self.keys = torch.from_numpy(data.keys).to(self.device)
        self.spread = key_spread(self.keys, data.metric)
        self.temperature = self._temperature()
        hidden = [*head.inner.parameters(), *head.outer.parameters()]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": hidden, "weight_decay": settings.weight_decay},
                {"params": list(head.linear.parameters()), "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
        )

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

    def train(
        self,
        state_file: Path,
        signature: str,
        resume: bool = False,
        after_epoch: Callable[[int, float], None] | None = None,
    ) -> None:
        """Train to the last epoch.

        Args:
            state_file: Where the state is kept; written every 20 seconds at most, and at the end.
            signature: Hash of all that decides the result.
            resume: Go on from the state, where there is one.
            after_epoch: Called with the number of epochs done and the epoch's mean loss.

        Raises:
            DistillError: The state is damaged or of another run, or the loss is not a number.
        """
        epochs = self.settings.epochs
        first = self._load(state_file, signature) if resume and state_file.exists() else 0
        saved = time.monotonic()
        for epoch in progress(range(first, epochs), epochs, "training", initial=first):
            loss = self._epoch(epoch)
            if not math.isfinite(loss):
                raise DistillError(f"the loss of epoch {epoch + 1} is not a number; lower the learning rate")
            if epoch + 1 == epochs or time.monotonic() - saved >= _SAVE_EVERY:
                save_training_state(state_file, self.head, self.optimizer, signature, epoch + 1)
                saved = time.monotonic()
            if after_epoch:
                after_epoch(epoch + 1, loss)
        self.head.eval()

    def _epoch(self, epoch: int) -> float:
        data, settings = self.data, self.settings
        order, views = epoch_plan(data.numbers, settings.seed, epoch, len(data.features))
        pool = self._pool(epoch)
        steps = range(0, len(order), settings.batch_size)
        total = 0.0
        self.head.train()
        for step, start in enumerate(steps):
            rows = order[start : start + settings.batch_size]
            done = (epoch + step / len(steps)) / settings.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            loss = self._loss(rows, views[start : start + len(rows)], *pool)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(rows)
        return total / len(order)

    def _loss(self, rows: np.ndarray, views: np.ndarray, pool_keys: Tensor, pool_sources: Tensor) -> Tensor:
        data = self.data
        features = torch.from_numpy(data.features[views, rows]).to(self.device).float()
        student, teacher = self.head(features), self.keys[torch.from_numpy(rows).to(self.device)]
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

    def _load(self, path: Path, signature: str) -> int:
        """Take over a state; the number of epochs it has done."""
        remedy = "leave --resume out to train anew"
        try:
            return load_training_state(path, self.head, self.optimizer, signature, remedy)
        except TrainingStateError as error:
            raise DistillError(str(error)) from error
