"""DreamSim as retrieval encoder: photos near each other when people call them alike in layout, pose and
content."""

import os
from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.networks.dreamsim import IMAGE_SIZE
from procrop.networks.dreamsim_weights import load_dreamsim, random_dreamsim
from procrop.registry import RETRIEVAL_BACKBONES

from .base import checked_grid, weights_sha256
from .pixels import resize_bicubic
from .torch_retrieval import TorchRetrieval

# raise when resizing, pooling or normalisation changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1


@RETRIEVAL_BACKBONES.register_module()
class DreamSimRetrieval(TorchRetrieval):
    """Keys whose cosine distance is DreamSim's, tokens from the patches of the last block.

    The published files are read as they are and their adapters merged; the ``dreamsim`` package is not needed, and
    nothing is fetched. As in DreamSim, the whole photo is resized to 224 x 224. The class token alone was trained
    for similarity; tokens are what the patches hold beside it.

    Args:
        variant: ``"ensemble"`` (DINO, CLIP and OpenCLIP ViT-B/16: keys of 1,792), ``"dino_vitb16"`` (768),
            ``"clip_vitb32"`` or ``"open_clip_vitb32"`` (512).
        folder: Where the variant's files are, see `load_dreamsim`: the package's ``cache_dir``, or an unpacked
            release.
        token_grid: (rows, columns) of tokens, of width 768, or 2,304 for the ensemble; None gives keys only.
        random_weights_seed: Random weights in place of ``folder``, for tests and demonstrations: the neighbours
            mean nothing.
        config: Size of a random network: ``width``, ``depth``, ``heads``, ``out_dim``.
        batch_size, device, dtype: See `TorchRetrieval`.

    Raises:
        ValueError: A parameter out of range, or files that do not fit.
        FileNotFoundError: Files are missing, with their addresses.

    Source: Fu et al. 2023, release v0.2.0.
    """

    metric = "cosine"

    def __init__(
        self,
        variant: str = "ensemble",
        folder: str | os.PathLike | None = None,
        token_grid: Sequence[int] | None = (7, 7),
        random_weights_seed: int | None = None,
        config: dict | None = None,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        grid = None if token_grid is None else checked_grid(token_grid)
        if (folder is None) == (random_weights_seed is None):
            raise ValueError(
                "give the folder of DreamSim's files, or random_weights_seed for a demonstration"
            )
        if folder is not None and config is not None:
            raise ValueError("config is for random weights only; published files have one size")
        if folder is not None:
            network = load_dreamsim(variant, folder)
        else:
            network = random_dreamsim(variant, random_weights_seed, config or {})
        fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "variant": variant,
                "heads": network.branches[0].vit.blocks[0].attn.heads,
                "token_grid": grid,
                "weights": weights_sha256(network.state_dict()),
                "preprocessing": _PREPROCESSING_VERSION,
            }
        )
        key_dim, token_dim = network.embed_dim, network.token_dim
        super().__init__(network, fingerprint, key_dim, grid, token_dim, batch_size, device, dtype)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to 224 x 224."""
        return resize_bicubic(image, (IMAGE_SIZE, IMAGE_SIZE))

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Photos (b, 3, 224, 224) uint8 -> keys (b, d_raw) of length one, tokens (b, m, d_r) or None."""
        keys, patches = self.network(images)
        if self._grid is None:
            return keys, None
        return keys, F.adaptive_avg_pool2d(patches.float(), self._grid).flatten(2).transpose(1, 2)
