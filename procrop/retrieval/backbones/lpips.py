"""LPIPS as retrieval encoder: photos near each other when their pixels look alike, place by place."""

import os

import numpy as np
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.networks.lpips import LPIPSFeatures, load_trunk, read_linear
from procrop.registry import RETRIEVAL_BACKBONES

from .base import weights_sha256
from .pixels import resize_bicubic
from .torch_retrieval import TorchRetrieval

# raise when resizing or scaling changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1


@RETRIEVAL_BACKBONES.register_module()
class LPIPSRetrieval(TorchRetrieval):
    """Keys between which the squared L2 distance is LPIPS at ``image_size``; no tokens.

    A key is long, because LPIPS compares photos place by place: with ``"alex"`` 5,760 numbers at 32 pixels and 31,872
    at 64, which is 1.3 GB and 7.0 GB for 55,000 photos. ``"vgg"`` needs 499,712 numbers at 64 pixels (110 GB), and
    ``"squeeze"`` 118,976 (26 GB). Project the keys with `PCA`, which keeps distances as far as its directions go; it
    holds a square matrix of the key's length in float64 while it is fitted (0.3 GB for 5,760, 8 GB for 31,872), so
    start from a small ``image_size``. Do not normalise them: their lengths are part of the distance.

    Args:
        net: ``"alex"``, ``"vgg"`` or ``"squeeze"``.
        image_size: Side in pixels of the square that the whole photo is resized to.
        checkpoint: torchvision's ImageNet weights of the net; None looks where torchvision stores its downloads.
        linear_checkpoint: LPIPS' learned weights; None takes those of the ``lpips`` package, version 0.1.
        random_weights_seed: Random weights in place of ``checkpoint``, for tests and demonstrations.
        batch_size, device, dtype: See `TorchRetrieval`.

    Raises:
        ValueError: A parameter out of range, or weights that do not fit.
        FileNotFoundError: The weights are not there, with their address.
        ImportError: No ``linear_checkpoint`` given and the package is missing.

    Source: Zhang et al. 2018.
    """

    metric = "l2"

    def __init__(
        self,
        net: str = "alex",
        image_size: int = 64,
        checkpoint: str | os.PathLike | None = None,
        linear_checkpoint: str | os.PathLike | None = None,
        random_weights_seed: int | None = None,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        if image_size < 1:
            raise ValueError(f"image_size must be at least 1, not {image_size}")
        if checkpoint is not None and random_weights_seed is not None:
            raise ValueError("give checkpoint or random_weights_seed, not both")
        network = LPIPSFeatures(net)
        shapes = network.map_shapes(image_size)
        if random_weights_seed is None:
            load_trunk(network, checkpoint)
        else:
            network.randomise(random_weights_seed)
        linear = read_linear(network, [shape[0] for shape in shapes], linear_checkpoint)
        self.image_size = int(image_size)
        fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "net": net,
                "image_size": self.image_size,
                "weights": weights_sha256(network.state_dict()),
                "linear": weights_sha256({str(i): weight for i, weight in enumerate(linear)}),
                "preprocessing": _PREPROCESSING_VERSION,
            }
        )
        key_dim = sum(c * h * w for c, h, w in shapes)
        super().__init__(network, fingerprint, key_dim, batch_size=batch_size, device=device, dtype=dtype)
        # beside the network, so that they stay float32 whatever it computes in
        self._roots = [weight.sqrt().to(self.device) for weight in linear]

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to the square."""
        return resize_bicubic(image, (self.image_size, self.image_size))

    def embed(self, images: Tensor) -> tuple[Tensor, None]:
        """Photos (b, 3, s, s) uint8 -> keys (b, d_raw)."""
        return self.network(images, self._roots), None
