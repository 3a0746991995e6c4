"""What a training of the artefact classifier can be told."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ArtefactSettings:
    """Settings of a training; the defaults are GenCrop's (Hong et al. 2024).

    Attributes:
        arch: "resnet50", "resnet18" or "tiny".
        epochs: Passes over the training photos.
        batch_size: Photos per step.
        learning_rate: Of AdamW; rises over the first epochs, then falls to zero along a cosine.
        label_smoothing: Of the cross-entropy.
        bad_weight: Weight of a bad photo in the loss, where a good one has 1.
        val_share: Share of the sources that is held out.
        seed: Decides split, first weights, order and augmentation.
    """

    arch: str = "resnet50"
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    label_smoothing: float = 0.1
    bad_weight: float = 10.0
    val_share: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size) < 1 or self.seed < 0:
            raise ValueError(
                "epochs and batch_size must be at least 1 and seed not negative, not "
                f"{self.epochs}, {self.batch_size} and {self.seed}"
            )
        if not (self.learning_rate > 0 and self.bad_weight > 0):
            raise ValueError(
                f"learning_rate and bad_weight must be above 0, not {self.learning_rate} and {self.bad_weight}"
            )
        if not 0 <= self.label_smoothing < 1 or not 0 < self.val_share < 1:
            raise ValueError(
                "label_smoothing must be in [0, 1) and val_share in (0, 1), not "
                f"{self.label_smoothing} and {self.val_share}"
            )

    @property
    def warmup_epochs(self) -> float:
        """Epochs over which the learning rate rises: three, or a tenth of a short training."""
        return min(3.0, self.epochs / 10)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)
