"""What the two SAM encoders share: SAM's own preprocessing, pooling over the photo, keys, one fingerprint."""

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from procrop.io.manifest import sha256_json
from procrop.networks.sam import PATCH_SIZE, SAMArch, normalise_sam, sam_arch
from procrop.networks.sam_weights import WHERE, needs_one_source, random_encoder_state, read_encoder_state
from procrop.networks.weights import load_strict

from .area_pooling import area_pool
from .base import check_image, checked_grid, weights_sha256
from .torch_retrieval import TorchRetrieval

# raise when resizing, padding, pooling or normalisation changes, so that older galleries are refused
_PREPROCESSING_VERSION = 1


class SAMBase(TorchRetrieval):
    """Keys and tokens from the map of SAM's image encoder; a subclass brings the network.

    A photo is resized (Pillow's bilinear filter, up or down) so that its long side is 1024, normalised, and padded
    with zeros at the bottom and right to 1024 x 1024, as SAM does. Of the (256, 64, 64) map that comes out, the part
    that the photo covers, long side 64 and short side (its pixels / 16) cells, is pooled to ``token_grid``: each token
    is the mean over an equal share of the photo, cells that are partly padding or belong to two shares counting by
    area. A cell wholly of padding never counts. Padding is seen by the encoder's attention, as in SAM itself.

    Two encoders with equal weights have equal fingerprints whatever package runs them and whatever file they came
    from: their embeddings differ by rounding only, and a gallery of one can be searched by the other.

    Args:
        model_type: ``"vit_b"``, ``"vit_l"`` or ``"vit_h"``.
        checkpoint: ``.pth`` or ``.safetensors`` file of a whole SAM or of its image encoder alone, in the official
            key layout or transformers'.
        token_grid: (rows, columns) of tokens; m is their product. The default is the reading of the paper's (m, d)
            embedding: 8 x 8 tokens of width 256.
        key: ``"mean"`` for the mean over the photo (256 numbers), ``"grid"`` for all tokens in a row (16,384 at
            8 x 8: too long for Elasticsearch, and to be shortened by PCA elsewhere).
        arch: Changes to the fields of `SAMArch`, for tests and for models trained with another shape.
        random_weights_seed: Instead of a checkpoint, UNTRAINED weights drawn from this seed: for tests and
            demonstrations, not for retrieval. They are part of the fingerprint like any other weights.
        batch_size, device, dtype: See `TorchRetrieval`. Attention over 4096 cells takes 2 to 3 GB a photo at
            vit_b in float32.

    Attributes:
        weights_passed_over: Number of tensors of the checkpoint that belong to SAM's prompt encoder and mask decoder
            and were left out.

    Raises:
        ValueError: A parameter out of range, neither or both of ``checkpoint`` and ``random_weights_seed``, or a
            checkpoint that does not fit.
        FileNotFoundError: No such checkpoint.
        ImportError: The package with the network is missing.
    """

    metric = "cosine"

    def __init__(
        self,
        model_type: str = "vit_b",
        checkpoint: str | os.PathLike | None = None,
        token_grid: Sequence[int] = (8, 8),
        key: str = "mean",
        arch: Mapping | None = None,
        random_weights_seed: int | None = None,
        batch_size: int = 1,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        grid = checked_grid(token_grid)
        if key not in ("mean", "grid"):
            raise ValueError(f"key must be 'mean' or 'grid', not {key!r}")
        self.arch = sam_arch(model_type, arch)
        self.key = key
        self.weights_passed_over = 0
        # every tensor is loaded below: do not spend time on initial values
        with torch.device("meta"):
            network = self.build_network(self.arch)
        network = network.to_empty(device="cpu")
        state = self._read_weights(network, checkpoint, random_weights_seed)
        what = f"SAM {model_type}" + (f" changed by {dict(arch)}" if arch else "")
        remedy = f"choose the model_type that fits the file; {WHERE}"
        load_strict(network, self.to_network_names(state), checkpoint, what, remedy)
        # names and shapes of the weights tell the architecture
        fingerprint = sha256_json(
            {
                "type": "SAM image encoder",
                "token_grid": grid,
                "key": key,
                "weights": weights_sha256(self.to_official_names(network.state_dict())),
                "preprocessing": _PREPROCESSING_VERSION,
            }
        )
        token_dim = self.arch.out_channels
        key_dim = token_dim if key == "mean" else grid[0] * grid[1] * token_dim
        super().__init__(network, fingerprint, key_dim, grid, token_dim, batch_size, device, dtype)

    def _read_weights(
        self, network: nn.Module, checkpoint: str | os.PathLike | None, seed: int | None
    ) -> dict[str, Tensor]:
        """Weights in the official layout, from the file or from the seed, whichever is given."""
        needs_one_source(type(self).__name__, checkpoint, seed)
        if checkpoint is None:
            return random_encoder_state(self.to_official_names(network.state_dict()), seed)
        state, self.weights_passed_over = read_encoder_state(checkpoint)
        return state

    @abstractmethod
    def build_network(self, arch: SAMArch) -> nn.Module:
        """Make the network, with any weights."""

    @abstractmethod
    def to_network_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename tensors from the official layout to the network's."""

    @abstractmethod
    def to_official_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename tensors from the network's layout to the official one."""

    @abstractmethod
    def feature_map(self, x: Tensor) -> Tensor:
        """(b, 3, S, S) normalised, padded RGB in the network's dtype -> (b, d, S / 16, S / 16); S = image_size."""

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB so that its long side is ``arch.image_size``."""
        check_image(image)
        height, width = image.shape[:2]
        scale = self.arch.image_size / max(height, width)
        # rounded as SAM does, but never to nothing
        size = tuple(max(1, int(side * scale + 0.5)) for side in (width, height))
        if size == (width, height):
            return image
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))

    def embed(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Photos (b, 3, H, W) uint8, long side ``arch.image_size`` -> keys (b, d_raw), tokens (b, m, d)."""
        height, width = images.shape[-2:]
        side = self.arch.image_size
        x = F.pad(normalise_sam(images), (0, side - width, 0, side - height))
        extent = (height / PATCH_SIZE, width / PATCH_SIZE)
        tokens = area_pool(self.feature_map(x.to(self.dtype)), self._grid, extent)
        return tokens.mean(dim=1) if self.key == "mean" else tokens.flatten(1), tokens
