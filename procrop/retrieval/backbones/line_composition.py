"""Retrieval by the combination of lines: nothing to train, nothing to download."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from procrop.io.manifest import sha256_json
from procrop.registry import RETRIEVAL_BACKBONES

from ..line_descriptor import LineBins, line_key
from .base import Embeddings, RetrievalBackbone, check_image

# raise when anything in line_descriptor.py or in `prepare` changes a key, so that older galleries are refused
_DESCRIPTOR_VERSION = 1
_SMALLEST = 64
# a side is at least this share of the other at the working size: a strip of a few pixels has lines too
_NARROWEST = 4


@RETRIEVAL_BACKBONES.register_module()
class LineCompositionRetrieval(RetrievalBackbone):
    """Keys from the lines of a photo: where they are, in which direction they run and how long they are.

    A photo's segments are spread softly over a grid of places, over directions and over lengths; long lines count
    more than texture, and directions that mirror each other are told apart (see `line_key`). Keys only: a model
    that fuses references takes its tokens from another encoder.

    Args:
        image_size: Long side in pixels at which lines are looked for.
        grid: (rows, columns) of places.
        orientations: Directions over half a turn.
        length_bins: Bins of length.
        device: Where a network would run; galleries hand it to every backbone. Unused here.

    Raises:
        ValueError: A parameter out of range.
    """

    metric = "cosine"

    def __init__(
        self,
        image_size: int = 256,
        grid: Sequence[int] = (8, 8),
        orientations: int = 12,
        length_bins: int = 2,
        device: str = "cpu",
    ) -> None:
        if image_size < _SMALLEST:
            raise ValueError(f"image_size must be at least {_SMALLEST}, not {image_size}")
        if len(grid) != 2 or min(grid) < 1:
            raise ValueError(f"grid must be (rows, columns), both at least 1, not {tuple(grid)}")
        if orientations < 4:
            raise ValueError(
                f"orientations must be at least 4, to tell both diagonals apart, not {orientations}"
            )
        if length_bins < 1:
            raise ValueError(f"length_bins must be at least 1, not {length_bins}")
        self.image_size = int(image_size)
        self.bins = LineBins((int(grid[0]), int(grid[1])), int(orientations), int(length_bins))

    @property
    def key_dim(self) -> int:
        return int(np.prod(self.bins.shape)) + 1

    @property
    def token_shape(self) -> None:
        return None

    @property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "image_size": self.image_size,
                "bins": self.bins.shape,
                "descriptor": _DESCRIPTOR_VERSION,
            }
        )

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to its working size: the aspect is kept up to a ratio of 4 : 1."""
        check_image(image)
        height, width = image.shape[:2]
        scale, least = self.image_size / max(width, height), self.image_size // _NARROWEST
        size = max(least, round(width * scale)), max(least, round(height * scale))
        if size == (width, height):
            return image
        # Pillow's bilinear filter widens with the reduction, so strong reductions do not alias
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))

    def encode(self, images: Sequence[np.ndarray]) -> Embeddings:
        """Embed photos, each (H, W, 3) uint8 RGB: keys (B, key_dim) float32 of length one, no tokens."""
        keys = np.empty((len(images), self.key_dim), np.float32)
        for row, image in enumerate(images):
            keys[row] = line_key(self.prepare(image), self.bins)
        return Embeddings(keys, None)
