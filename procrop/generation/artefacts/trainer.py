"""Training of the artefact classifier."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from procrop.networks.artefact_classifier import ArtefactClassifier, to_batch
from procrop.networks.epoch_trainer import EpochTrainer
from procrop.networks.placement import checked_device
from procrop.retrieval.distillation.draws import epoch_plan, photometric_view

from .settings import ArtefactSettings


class ArtefactTrainer(EpochTrainer):
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
        self.device = checked_device(device)
        model = model.to(self.device)
        self.pixels, self.bad, self.numbers, self.settings = pixels, bad, numbers, settings
        self.weight = torch.tensor([1.0, settings.bad_weight], device=self.device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
        super().__init__(model, optimizer, settings.epochs, settings.batch_size)

    def run_epoch(self, epoch: int) -> float:
        """One pass over the photos in the epoch's order."""
        order, mirrored = epoch_plan(self.numbers, self.settings.seed, epoch, 2)

        def loss_of(places: slice) -> Tensor:
            rows = order[places]
            views = [
                self._view(row, epoch, mirror) for row, mirror in zip(rows, mirrored[places], strict=True)
            ]
            return F.cross_entropy(
                self.network(to_batch(views).to(self.device)),
                torch.from_numpy(self.bad[rows].astype(np.int64)).to(self.device),
                weight=self.weight,
                label_smoothing=self.settings.label_smoothing,
            )

        return self.run_steps(epoch, len(order), loss_of)

    def learning_rate(self, done: float) -> float:
        """Rises over the first epochs, then falls to zero along a cosine."""
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
