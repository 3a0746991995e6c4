"""Training of the artefact classifier; killed at any moment, it goes on as if it had not been."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from procrop.io.progress import progress
from procrop.networks.artefact_classifier import ArtefactClassifier, to_batch
from procrop.networks.training_state import load_training_state, save_training_state
from procrop.retrieval.distillation.draws import epoch_plan, photometric_view

from .settings import ArtefactSettings

# a kill costs no more than this many seconds of training, and an epoch
_SAVE_EVERY = 20.0


class ArtefactTrainer:
    """AdamW on the weighted, smoothed cross-entropy of good and bad.

    A photo is mirrored left to right in half of the epochs, and changed in light and colours in all. It is never cut:
    frames and pasted parts often lie at its edges.

    Args:
        model: The classifier, at its start; trained in place.
        pixels: (n, 128, 128, 3) uint8 training photos.
        bad: (n,) bool.
        numbers: n photos as integers, from which their draws are seeded.
        settings: See `ArtefactSettings`.
        device: Where it is trained.
    """

    def __init__(
        self,
        model: ArtefactClassifier,
        pixels: np.ndarray,
        bad: np.ndarray,
        numbers: list[int],
        settings: ArtefactSettings,
        device: str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device {device!r}: torch sees no CUDA device here; take device='cpu'")
        self.model = model.to(self.device)
        self.pixels, self.bad, self.numbers, self.settings = pixels, bad, numbers, settings
        self.weight = torch.tensor([1.0, settings.bad_weight], device=self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.learning_rate)

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
            TrainingStateError: The state is damaged or of another run.
            ValueError: The loss is not a number.
        """
        epochs, first = self.settings.epochs, 0
        if resume and state_file.exists():
            remedy = "leave --resume out to train anew"
            first = load_training_state(state_file, self.model, self.optimizer, signature, remedy)
        saved = time.monotonic()
        for epoch in progress(range(first, epochs), epochs, "training", initial=first):
            loss = self._epoch(epoch)
            if not math.isfinite(loss):
                raise ValueError(f"the loss of epoch {epoch + 1} is not a number; lower the learning rate")
            if epoch + 1 == epochs or time.monotonic() - saved >= _SAVE_EVERY:
                save_training_state(state_file, self.model, self.optimizer, signature, epoch + 1)
                saved = time.monotonic()
            if after_epoch:
                after_epoch(epoch + 1, loss)
        self.model.eval()

    def _epoch(self, epoch: int) -> float:
        order, mirrored = epoch_plan(self.numbers, self.settings.seed, epoch, 2)
        starts = range(0, len(order), self.settings.batch_size)
        total = 0.0
        self.model.train()
        for step, start in enumerate(starts):
            rows = order[start : start + self.settings.batch_size]
            for group in self.optimizer.param_groups:
                group["lr"] = self.learning_rate(epoch + step / len(starts))
            views = [self._view(row, epoch, mirrored[start + i]) for i, row in enumerate(rows)]
            labels = torch.from_numpy(self.bad[rows].astype(np.int64)).to(self.device)
            loss = F.cross_entropy(
                self.model(to_batch(views).to(self.device)),
                labels,
                weight=self.weight,
                label_smoothing=self.settings.label_smoothing,
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach()) * len(rows)
        return total / len(order)

    def learning_rate(self, done: float) -> float:
        """The learning rate after that many epochs, whole and parts."""
        settings, warmup = self.settings, self.settings.warmup_epochs
        if done < warmup:
            return settings.learning_rate * done / warmup
        share = (done - warmup) / (settings.epochs - warmup)
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))

    def _view(self, row: int, epoch: int, mirror: int) -> np.ndarray:
        photo = photometric_view(self.pixels[row], self.settings.seed, epoch + 1, self.numbers[row])
        return photo[:, ::-1] if mirror else photo


def bad_probabilities(
    model: ArtefactClassifier, pixels: np.ndarray, device: str = "cpu", batch_size: int = 64
) -> np.ndarray:
    """P(bad) (n,) float64 of photos (n, 128, 128, 3) uint8, in evaluation mode."""
    training = model.training
    model.eval()
    with torch.inference_mode():
        found = [
            model.bad_probability(to_batch(pixels[i : i + batch_size]).to(device)).cpu().numpy()
            for i in range(0, len(pixels), batch_size)
        ]
    model.train(training)
    return np.concatenate(found).astype(np.float64) if found else np.zeros(0)
