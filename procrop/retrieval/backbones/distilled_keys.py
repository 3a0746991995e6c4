"""The small encoder that searches a gallery in place of the heavy one that made it."""

import os

import numpy as np
import torch
from torch import Tensor

from procrop.io.manifest import sha256_json
from procrop.networks.efficientnet_lite import normalise
from procrop.networks.key_student import KeyStudent
from procrop.networks.weights import load_strict
from procrop.registry import RETRIEVAL_BACKBONES

from ..distilled_key_file import DistilledKeyFileError, read_distilled_keys
from .base import weights_sha256
from .efficientnet_lite import to_working_size
from .torch_retrieval import TorchRetrieval

# raise when resizing, pooling or normalisation changes, so that older files are refused
PREPROCESSING_VERSION = 1


@RETRIEVAL_BACKBONES.register_module()
class DistilledKeyRetrieval(TorchRetrieval):
    """Keys as a gallery's own encoder and key transform would give them; no tokens.

    Its keys lie in the space of the gallery's transformed keys: they are searched as they are, and no transform is
    applied to them again. A photo is resized as `EfficientNetLiteRetrieval` does it.

    Args:
        checkpoint: The file that ``tools/distill_keys.py`` wrote.
        batch_size, device, dtype: See `TorchRetrieval`.

    Attributes:
        space: Whose keys these are; `Gallery.use_query_encoder` compares it with the gallery.

    Raises:
        DistilledKeyFileError: The file is absent, damaged, or of another version.
        ValueError: A parameter out of range.
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self._arguments = (os.path.abspath(checkpoint), batch_size, device, dtype)
        content = read_distilled_keys(checkpoint)
        if content.preprocessing != PREPROCESSING_VERSION:
            raise DistilledKeyFileError(
                f"{checkpoint}: made for version {content.preprocessing} of the preprocessing, this program has "
                f"{PREPROCESSING_VERSION}; make it again: python tools/distill_keys.py GALLERY --out {checkpoint} "
                f"--overwrite"
            )
        self.space = content.space
        self.metric = content.space.metric
        self.image_size = content.image_size
        network = KeyStudent(**content.network)
        load_strict(network, content.state, checkpoint, "a distilled key encoder", "make the file again")
        fingerprint = sha256_json(
            {
                "type": type(self).__name__,
                "network": content.network,
                "image_size": self.image_size,
                "weights": weights_sha256(content.state),
                "preprocessing": PREPROCESSING_VERSION,
            }
        )
        network.trunk.fold_batch_norm()
        network = network.to(memory_format=torch.channels_last)
        key_dim = self.space.key_dim
        super().__init__(network, fingerprint, key_dim, batch_size=batch_size, device=device, dtype=dtype)

    def __reduce__(self) -> tuple:
        # by its file: a gallery that goes into a loader's worker takes its query encoder along
        return type(self), self._arguments

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Resize a photo (H, W, 3) uint8 RGB to its working size."""
        return to_working_size(image, self.image_size)

    def embed(self, images: Tensor) -> tuple[Tensor, None]:
        """Photos (b, 3, H, W) uint8 -> keys (b, d_key)."""
        x = normalise(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        return self.network(x), None
