"""Training of a network in seeded epochs; killed at any moment, it goes on as if it had not been."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from procrop.io.progress import progress

from .training_state import TrainingError, load_training_state, save_training_state

# a kill costs no more than this many seconds of training, and an epoch
_SAVE_EVERY = 20.0


class EpochTrainer(ABC):
    """The loop over epochs and steps; a subclass says what is learned, from what, and how fast.

    Whatever a subclass draws has to be a function of the epoch's number, so that a run that goes on from a state equals
    one that was never cut.

    Args:
        network: The network, at its start and on its device; trained in place.
        optimizer: Of its weights.
        epochs: Passes over the training photos.
        batch_size: Photos per step.
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, epochs: int, batch_size: int
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.epochs, self.batch_size = epochs, batch_size

    @abstractmethod
    def learning_rate(self, done: float) -> float:
        """The learning rate after that many epochs, whole and parts."""

    @abstractmethod
    def run_epoch(self, epoch: int) -> float:
        """Draw an epoch (from 0), train by `run_steps`, and return the mean loss."""

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
            TrainingError: The loss is not a number.
            TrainingStateError: The state is damaged or of another run.
        """
        epochs, first = self.epochs, 0
        if resume and state_file.exists():
            remedy = "leave --resume out to train anew"
            first = load_training_state(state_file, self.network, self.optimizer, signature, remedy)
        saved = time.monotonic()
        for epoch in progress(range(first, epochs), epochs, "training", initial=first):
            loss = self.run_epoch(epoch)
            if not math.isfinite(loss):
                raise TrainingError(f"the loss of epoch {epoch + 1} is not a number; lower the learning rate")
            if epoch + 1 == epochs or time.monotonic() - saved >= _SAVE_EVERY:
                save_training_state(state_file, self.network, self.optimizer, signature, epoch + 1)
                saved = time.monotonic()
            if after_epoch:
                after_epoch(epoch + 1, loss)
        self.network.eval()

    def run_steps(self, epoch: int, count: int, loss_of: Callable[[slice], Tensor]) -> float:
        """One pass over ``count`` photos, a step per batch.

        Args:
            epoch: Number of the epoch, from 0.
            count: Photos of the epoch.
            loss_of: Places in the epoch's order -> the mean loss of these photos, (), with its graph.

        Returns:
            The mean loss of all photos.
        """
        starts = range(0, count, self.batch_size)
        total = 0.0
        self.network.train()
        for step, start in enumerate(starts):
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate(epoch + step / len(starts))
            stop = min(start + self.batch_size, count)
            loss = loss_of(slice(start, stop))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * (stop - start)
        return total / count
