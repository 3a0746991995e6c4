"""What a text encoder is: photos and their captions in, image-text tokens out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from procrop.io.unicode import check_unicode


class TextEncoder(ABC):
    """Writer of captions and maker of the tokens M (m', d_t) of a photo and its caption (paper, feature fusion).

    Tokens depend on the photo and its caption alone: neither on the other photos of a batch nor on padding. They come
    without padding, so m' varies from caption to caption. Stateless but for its frozen weights.

    Attributes:
        batch_size: Photos that the encoder works on at once; changes the speed only.
    """

    batch_size: int = 8

    @property
    @abstractmethod
    def token_dim(self) -> int:
        """Width d_t of a token."""

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """The largest m' that `encode` gives; longer captions are cut."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex SHA-256 over all that changes a token: type, parameters, weights, preprocessing. Captions do not count:
        they may come from anywhere."""

    @property
    def caption_fingerprint(self) -> str | None:
        """Hex SHA-256 over all that changes a generated caption; None when the encoder writes none."""
        return None

    @property
    def needs_photo(self) -> bool:
        """Whether tokens are those of photo and caption together; otherwise `encode` takes None for photos."""
        return True

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring a photo (H, W, 3) uint8 RGB to the working size, so that a batch of large photos fits in memory.

        Idempotent: `caption` and `encode` give the same for a photo and for the prepared photo.
        """
        return image

    def caption(self, images: Sequence[np.ndarray]) -> list[str]:
        """Describe photos, each (H, W, 3) uint8 RGB: one caption a photo, in the order given.

        Raises:
            ValueError: This encoder writes no captions.
        """
        raise ValueError(
            f"{type(self).__name__} writes no captions: give them in a file (tools/text.py build --captions FILE), or "
            "take an encoder with a caption model"
        )

    @abstractmethod
    def encode(self, images: Sequence[np.ndarray | None], captions: Sequence[str]) -> list[np.ndarray]:
        """Tokens of photos, each (H, W, 3) uint8 RGB, and their captions.

        Returns:
            One (m', d_t) float16 array a photo, 1 <= m' <= ``max_tokens``; not finite where the network's numbers leave
            float16, which callers must refuse photo by photo.

        Raises:
            ValueError: A caption is empty or no Unicode text, or the numbers of photos and captions differ.
        """


def checked_captions(images: Sequence[np.ndarray | None], captions: Sequence[str]) -> list[str]:
    """The captions with single spaces; ValueError unless each photo has one that says something."""
    if len(images) != len(captions):
        raise ValueError(f"{len(images)} photos and {len(captions)} captions: each photo needs one")
    cleaned = [" ".join(caption.split()) for caption in captions]
    if "" in cleaned:
        raise ValueError(
            f"caption {cleaned.index('')} is empty: write one, or leave the photo without text tokens"
        )
    for caption in cleaned:
        check_unicode(caption)
    return cleaned
