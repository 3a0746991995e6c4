"""A tiny encoder for tests, mean colours of a 2x2 grid, and photos for it."""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.io.manifest import sha256_json
from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval.backbones.base import Embeddings, RetrievalBackbone


@RETRIEVAL_BACKBONES.register_module(force=True)
class ColourBackbone(RetrievalBackbone):
    """Keys (12,) and tokens (4, 3): mean colour of each quarter of the photo; slow on request.

    Args:
        salt: Stands for weights: another salt gives other embeddings of the same shape.
        delay: Seconds per photo, so that a build can be killed in the middle.
        keys: Whether keys are given beside tokens.
    """

    metric = "cosine"

    def __init__(self, salt: int = 0, delay: float = 0.0, keys: bool = True) -> None:
        self.salt, self.delay, self.keys = salt, delay, keys

    @property
    def key_dim(self) -> int | None:
        return 12 if self.keys else None

    @property
    def token_shape(self) -> tuple[int, int]:
        return 4, 3

    @property
    def token_grid(self) -> tuple[int, int]:
        return 2, 2

    @property
    def fingerprint(self) -> str:
        return sha256_json(["ColourBackbone", self.salt])

    def encode(self, images) -> Embeddings:
        time.sleep(self.delay * len(images))
        tokens = np.empty((len(images), 4, 3), np.float32)
        for i, image in enumerate(images):
            h, w = image.shape[0] // 2, image.shape[1] // 2
            quarters = image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:]
            tokens[i] = [q.mean(axis=(0, 1)) / 255 + self.salt for q in quarters]
        keys = tokens.reshape(len(images), 12).copy() if self.keys else None
        return Embeddings(keys, tokens.astype(np.float16))


def draw_photos(folder: Path, number: int, seed: int = 0) -> Path:
    """Write ``number`` photos of four random colour fields each, as lossless PNG."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        colours = rng.integers(20, 236, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(colours.repeat(8, 0).repeat(10, 1)).save(folder / f"p{i:03d}.png")
    return folder
