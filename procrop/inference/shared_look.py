"""One look at a photo for two: the cropper's image backbone and the encoder that searches the gallery."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from procrop.networks.efficientnet_lite import normalise

if TYPE_CHECKING:  # a model without references needs none of it
    from procrop.models.croppers import PhotoFeatures
    from procrop.retrieval.backbones.base import Embeddings, RetrievalBackbone

#: (width, height) of the photos that tell whether two prepare alike: one is made smaller and one larger, and neither
#: keeps its ratio when its sides become multiples of 32
_PROBES = ((530, 370), (97, 211))


class SharedLook:
    """Says whether what the image backbone saw of a photo is what the gallery's encoder would see, and then takes it.

    It is where both have the same network, weights compared in half precision, and where the model's input is, pixel by
    pixel, what the encoder prepares. The latter is tried with photos of noise, once for each encoder.

    Args:
        model: the cropper, with the weights it will have, before batch norm is folded.
        prepare: from a photo (H, W, 3) uint8 RGB to the model's input (1, 3, h, w).
    """

    def __init__(self, model: torch.nn.Module, prepare: Callable[[np.ndarray], torch.Tensor]) -> None:
        fingerprint = getattr(getattr(model, "backbone", None), "look_fingerprint", None)
        self._fingerprint = None if fingerprint is None else fingerprint()
        self._prepare = prepare
        self._tried: tuple[Any, bool] = (None, False)

    def embeddings(
        self, encoder: "RetrievalBackbone", photo: np.ndarray, inputs: torch.Tensor, features: "PhotoFeatures"
    ) -> "Embeddings | None":
        """What an encoder would say about a photo.

        Args:
            encoder: that of the queries.
            photo: (H, W, 3) uint8 RGB.
            inputs: (1, 3, h, w), the same as the model took it.
            features: what the model made of it.

        Returns:
            A batch of one; None where the encoder has to look itself.
        """
        look = getattr(features, "look", None)  # croppers of other kinds have features of their own
        if look is None or not self.serves(encoder):
            return None
        if encoder.prepared_size(photo.shape[:2]) != tuple(inputs.shape[-2:]):
            return None
        return encoder.encode_look(look)

    def serves(self, encoder: "RetrievalBackbone") -> bool:
        """Whether the model's look is the encoder's, for photos whose prepared size is the same."""
        tried, serves = self._tried
        if tried is not encoder:
            same = encoder.look_fingerprint is not None and encoder.look_fingerprint == self._fingerprint
            serves = same and self._prepares_as(encoder)
            self._tried = encoder, serves
        return serves

    def _prepares_as(self, encoder: "RetrievalBackbone") -> bool:
        noise = np.random.default_rng(0)
        for width, height in _PROBES:
            photo = noise.integers(0, 256, (height, width, 3), dtype=np.uint8)
            expected = normalise(torch.tensor(encoder.prepare(photo)).permute(2, 0, 1)[None])
            if not torch.equal(self._prepare(photo).cpu(), expected):
                return False
        return True
