"""CLIP as retrieval encoder: photos near each other when a caption would say the same of them."""

import os
from collections.abc import Sequence
from functools import cache
from math import log

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from procrop.io.manifest import sha256_json
from procrop.networks import pixel_statistics
from procrop.networks.clip_weights import load_clip, load_open_clip
from procrop.registry import RETRIEVAL_BACKBONES

from .base import check_image, checked_grid, checked_image_size, weights_sha256
from .pixels import resize_bicubic
from .torch_retrieval import TorchRetrieval

# raise when resizing, pooling or normalisation changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1
_RESIZES = ("squash", "keep_aspect", "centre_crop")
_ARCHITECTURE = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "patch_size",
    "image_size",
    "hidden_act",
    "layer_norm_eps",
    "projection_dim",
)


@RETRIEVAL_BACKBONES.register_module()
class CLIPRetrieval(TorchRetrieval):
    """Keys from CLIP's projected image embedding, tokens from the last layer's patches pooled to a fixed grid.

    CLIP's own preprocessing cuts the centre square out of a photo, and with it most of what composition is. Here
    the whole photo is seen by default, without padding.

    Exactly one of ``model``, ``checkpoint`` and ``random_weights_seed`` says where the weights come from.

    Args:
        model: Folder or hub name of a CLIP ViT in transformers' layout, e.g. ``"openai/clip-vit-base-patch32"``.
        revision: Commit of the hub repository; pin it.
        local_files_only: Never go to the network for hub files.
        checkpoint: Weight file in OpenCLIP's layout, see `load_open_clip`.
        config: ``CLIPVisionConfig`` fields: what a ``checkpoint`` does not tell, or the size of a random network.
        random_weights_seed: Random weights, for tests and demonstrations: the neighbours mean nothing.
        image_size: Side of the square in pixels, a multiple of the patch size; None takes the network's own.
            Another size interpolates the position embeddings.
        resize: ``"squash"``: the whole photo to the square. ``"keep_aspect"``: the whole photo to about as many
            patches in the grid that comes nearest to its aspect, with interpolated position embeddings.
            ``"centre_crop"``: CLIP's own; what lies outside the centre square is not seen.
        token_grid: (rows, columns) of tokens; m is their product.
        mean, std: RGB statistics that the weights were trained with, in [0, 1]; a few of OpenCLIP's weights need
            0.5 for all of them.
        batch_size, device, dtype: See `TorchRetrieval`.

    Raises:
        ValueError: A parameter out of range, or weights that do not fit.
        FileNotFoundError: The weights are not there.

    Source: Radford et al. 2021; weights by OpenAI, LAION and others.
    """

    metric = "cosine"

    def __init__(
        self,
        model: str | None = None,
        revision: str | None = None,
        local_files_only: bool = True,
        checkpoint: str | os.PathLike | None = None,
        config: dict | None = None,
        random_weights_seed: int | None = None,
        image_size: int | None = None,
        resize: str = "squash",
        token_grid: Sequence[int] = (7, 7),
        mean: Sequence[float] = pixel_statistics.CLIP[0],
        std: Sequence[float] = pixel_statistics.CLIP[1],
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        if resize not in _RESIZES:
            raise ValueError(f"resize must be one of {', '.join(_RESIZES)}, not {resize!r}")
        grid = checked_grid(token_grid)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std must be three numbers each, std above 0, not {mean} and {std}")
        if (model is not None) + (checkpoint is not None) + (random_weights_seed is not None) != 1:
            raise ValueError("give exactly one of model, checkpoint and random_weights_seed")
        if model is not None and config is not None:
            raise ValueError("config cannot be given with model: the folder has its own config.json")
        if model is not None:
            network = load_clip(model, revision, local_files_only)
        elif checkpoint is not None:
            network = load_open_clip(checkpoint, config or {})
        else:
            network = _random_clip(config or {}, random_weights_seed)
        self._own_size, self._patch = network.config.image_size, network.config.patch_size
        self.image_size = checked_image_size(
            self._own_size if image_size is None else image_size, self._patch
        )
        self.resize = resize
        self._mean, self._std = tuple(map(float, mean)), tuple(map(float, std))
        fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "architecture": {name: getattr(network.config, name) for name in _ARCHITECTURE},
                "weights": weights_sha256(network.state_dict()),
                "image_size": self.image_size,
                "resize": resize,
                "token_grid": grid,
                "mean": self._mean,
                "std": self._std,
                "preprocessing": _PREPROCESSING_VERSION,
            }
        )
        key_dim, token_dim = network.config.projection_dim, network.config.hidden_size
        super().__init__(network, fingerprint, key_dim, grid, token_dim, batch_size, device, dtype)

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB as ``resize`` says."""
        check_image(image)
        height, width = image.shape[:2]
        side = self.image_size
        if self.resize == "keep_aspect":
            rows, columns = _nearest_grid(width / height, side // self._patch)
            return resize_bicubic(image, (columns * self._patch, rows * self._patch))
        box = _centre_square(width, height, side) if self.resize == "centre_crop" else None
        return resize_bicubic(image, (side, side), box)

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Photos (b, 3, H, W) uint8 -> keys (b, d_raw), tokens (b, m, d_r)."""
        height, width = images.shape[2:]
        x = pixel_statistics.standardise(images, self._mean, self._std).to(self.dtype)
        # asked for only where needed: not every release of transformers has it
        resized = {} if height == width == self._own_size else {"interpolate_pos_encoding": True}
        found = self.network(pixel_values=x, **resized)
        patches = found.last_hidden_state[:, 1:].float().transpose(1, 2)
        patches = patches.unflatten(2, (height // self._patch, width // self._patch))
        tokens = F.adaptive_avg_pool2d(patches, self._grid).flatten(2).transpose(1, 2)
        return found.image_embeds, tokens


def _random_clip(config: dict, seed: int) -> nn.Module:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPVisionModelWithProjection(CLIPVisionConfig(**config))


def _centre_square(width: int, height: int, side: int) -> tuple[float, float, float, float]:
    """The square, xyxy in pixels of the photo, that CLIP sees: short side resized to ``side``, centre cut out."""
    short = min(width, height)
    resized = (side * width // short, side * height // short)
    left, top = (round((length - side) / 2) for length in resized)
    # products before quotients: a whole side comes out exactly, never a rounding error beyond the photo
    xs = (x * width / resized[0] for x in (left, left + side))
    ys = (y * height / resized[1] for y in (top, top + side))
    (x1, x2), (y1, y2) = xs, ys
    return x1, y1, x2, y2


@cache
def _grids(side: int) -> list[tuple[int, int]]:
    """Grids (rows, columns) of at most ``side`` squared patches to which none could be added along either axis."""
    wide = {(rows, side * side // rows) for rows in range(1, side * side + 1)}
    return sorted(wide | {(columns, rows) for rows, columns in wide})


def _nearest_grid(aspect: float, side: int) -> tuple[int, int]:
    """The grid whose aspect, width over height, comes nearest; the largest of equals.

    A photo resized to a grid has exactly its aspect, so it finds the same grid again.
    """
    return min(_grids(side), key=lambda grid: (abs(log(grid[1] / grid[0] / aspect)), -grid[0] * grid[1]))
