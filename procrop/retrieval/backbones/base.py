"""What a retrieval encoder is: photos in, keys to search by and tokens to fuse out."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

METRICS = ("cosine", "inner_product", "l2")


@dataclass
class Embeddings:
    """What an encoder says about a batch of B photos.

    Attributes:
        keys: (B, d_raw) float32, or None when the encoder gives tokens only.
        tokens: (B, m, d_r) float16, row-major over ``token_grid`` (top left first) where the encoder has one;
            None when the encoder gives keys only.
    """

    keys: np.ndarray | None
    tokens: np.ndarray | None


class RetrievalBackbone(ABC):
    """Encoder of photos for retrieval; stateless but for its frozen weights.

    A photo's embedding covers the photo and no padding, and is the same up to float noise whatever other
    photos are in the batch.

    Attributes:
        metric: How keys are compared: ``"cosine"``, ``"inner_product"`` or ``"l2"``.
        batch_size: Photos that the encoder works on at once; changes the speed only.
        look_fingerprint: Which network's look at a prepared photo ``encode_look(look)`` turns into `Embeddings`, as
            ``encode`` would; such an encoder also tells the ``prepared_size`` of a photo. None for an encoder that
            always looks itself.
    """

    metric: str = "cosine"
    batch_size: int = 8
    look_fingerprint: str | None = None

    @property
    @abstractmethod
    def key_dim(self) -> int | None:
        """Length d_raw of a key; None when the encoder gives tokens only."""

    @property
    @abstractmethod
    def token_shape(self) -> tuple[int, int] | None:
        """(m, d_r) of a photo's tokens; None when the encoder gives keys only."""

    @property
    def token_grid(self) -> tuple[int, int] | None:
        """(rows, columns) of the grid that the m tokens cover, top left first; None when they have no places."""
        return None

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex SHA-256 over all that changes an embedding: type, parameters, weights, preprocessing."""

    @property
    def on_accelerator(self) -> bool:
        """Whether encoding leaves the CPU's cores free, so that photos are better read meanwhile."""
        return False

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring a photo (H, W, 3) uint8 RGB to the working size, so that a batch of large photos fits in
        memory.

        Idempotent: ``encode`` gives the same for a photo and for the prepared photo.
        """
        return image

    @abstractmethod
    def encode(self, images: Sequence[np.ndarray]) -> Embeddings:
        """Embed photos, each (H, W, 3) uint8 RGB of any size, in the order given; an empty list gives B =
        0."""


def check_image(image: np.ndarray) -> None:
    """Raise ValueError unless ``image`` is (H, W, 3) uint8 with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"a photo must be a (H, W, 3) uint8 RGB array, not {found}; use read_photo")
    if 0 in image.shape:
        raise ValueError(f"a photo must have at least one pixel, not shape {image.shape}")


def checked_grid(token_grid: Sequence[int]) -> tuple[int, int]:
    """(rows, columns) of a grid of tokens as plain integers; ValueError unless both are at least 1."""
    if len(token_grid) != 2 or min(token_grid) < 1:
        raise ValueError(f"token_grid must be (rows, columns), both at least 1, not {tuple(token_grid)}")
    return int(token_grid[0]), int(token_grid[1])


def checked_image_size(image_size: int, multiple: int) -> int:
    """A side in pixels as a plain integer; ValueError unless it is a positive multiple of ``multiple``."""
    if image_size < multiple or image_size % multiple:
        raise ValueError(f"image_size must be a positive multiple of {multiple}, not {image_size}")
    return int(image_size)


def weights_sha256(state: dict) -> str:
    """Hex SHA-256 over the names, types, shapes and values of a torch state dict, whatever file it came from."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
