"""What a distillation can be told."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class DistillSettings:
    """Settings of a distillation.

    Attributes:
        epochs: Passes over the training photos; 0 keeps the least-squares start.
        seed: Decides split, augmentation, order and first weights.
        val_share: Share of the photos' sources that is held out; the same share of the rest decides whether the
            training is kept.
        image_size: Long side of a photo at the student's input in pixels, a multiple of 32.
        views: Versions of each training photo, the photo itself among them; the others have other light and colours.
        hidden: Width of the head's hidden layer.
        batch_size: Photos per step.
        learning_rate: Of AdamW; falls to zero along a cosine.
        weight_decay: Of AdamW, on the hidden layer.
        relational_weight: Of the neighbour distribution, against the distance to the teacher's key.
        pool: Gallery keys, at most, that a step's photos are compared with.
        neighbours: How many neighbours the teacher's distribution over the pool has in effect (its perplexity).
    """

    epochs: int = 60
    seed: int = 0
    val_share: float = 0.1
    image_size: int = 256
    views: int = 3
    hidden: int = 256
    batch_size: int = 64
    learning_rate: float = 3e-4
    weight_decay: float = 0.05
    relational_weight: float = 1.0
    pool: int = 4096
    neighbours: int = 10

    def __post_init__(self) -> None:
        for name in ("views", "hidden", "batch_size", "pool", "neighbours"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.epochs < 0 or self.seed < 0:
            raise ValueError(f"epochs and seed must not be negative, not {self.epochs} and {self.seed}")
        if not 0 < self.val_share < 1:
            raise ValueError(f"val_share must lie between 0 and 1, not {self.val_share}")
        if self.image_size < 32 or self.image_size % 32:
            raise ValueError(f"image_size must be a positive multiple of 32, not {self.image_size}")

    def to_dict(self) -> dict:
        """The settings as JSON values."""
        return asdict(self)
