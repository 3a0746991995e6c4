"""What the encoders that run a torch network share: batches of photos of one size, a device and a dtype."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from procrop.networks.placement import checked_placement

from .base import Embeddings, RetrievalBackbone


class TorchRetrieval(RetrievalBackbone):
    """Encoder around a frozen network; a subclass says how to `prepare` a photo and how to `embed` a batch.

    Args:
        network: The network; it is frozen, put into evaluation mode and moved.
        fingerprint: Hex SHA-256 over all that changes an embedding.
        key_dim: Length d_raw of a key; None without keys.
        token_grid: (rows, columns) of the tokens; None without tokens.
        token_dim: Width d_r of a token.
        batch_size: Photos per forward pass; changes the speed only.
        device: Torch device; changes the speed only.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``: what the network computes in. Embeddings differ by
            rounding only, so it is not part of the fingerprint.

    Raises:
        ValueError: A batch size below 1, an unknown dtype, or a device that is not there.
    """

    def __init__(
        self,
        network: nn.Module,
        fingerprint: str,
        key_dim: int | None,
        token_grid: tuple[int, int] | None = None,
        token_dim: int = 0,
        batch_size: int = 8,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        self._fingerprint, self._key_dim = fingerprint, key_dim
        self._grid, self._token_dim = token_grid, token_dim
        self.batch_size, self.device, self.dtype = checked_placement(batch_size, device, dtype)
        self.network = network.requires_grad_(False).eval().to(self.device, self.dtype)

    @property
    def key_dim(self) -> int | None:
        return self._key_dim

    @property
    def token_shape(self) -> tuple[int, int] | None:
        return None if self._grid is None else (self._grid[0] * self._grid[1], self._token_dim)

    @property
    def token_grid(self) -> tuple[int, int] | None:
        return self._grid

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def on_accelerator(self) -> bool:
        return self.device.type != "cpu"

    @abstractmethod
    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Bring a photo (H, W, 3) uint8 RGB to its working size; idempotent."""

    @abstractmethod
    def embed(self, images: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Embed prepared photos of one size.

        Args:
            images: (b, 3, H, W) uint8 RGB on ``self.device``.

        Returns:
            Keys (b, d_raw) and tokens (b, m, d_r) of any float type; None for what the encoder does not give.
        """

    def encode(self, images: Sequence[np.ndarray]) -> Embeddings:
        """Embed photos, each (H, W, 3) uint8 RGB.

        Returns:
            Keys (B, d_raw) float32 and tokens (B, m, d_r) float16 in the order of ``images``.
        """
        prepared = [self.prepare(image) for image in images]
        keys = None if self.key_dim is None else np.empty((len(prepared), self.key_dim), np.float32)
        tokens = None
        if self.token_shape is not None:
            tokens = np.empty((len(prepared), *self.token_shape), np.float16)
        groups: dict[tuple[int, ...], list[int]] = {}
        for i, image in enumerate(prepared):
            groups.setdefault(image.shape, []).append(i)
        for rows in groups.values():
            for start in range(0, len(rows), self.batch_size):
                batch = rows[start : start + self.batch_size]
                with torch.inference_mode():
                    stacked = torch.from_numpy(np.stack([prepared[i] for i in batch]))
                    found = self.embed(stacked.to(self.device).permute(0, 3, 1, 2))
                for target, values in zip((keys, tokens), found, strict=True):
                    if target is not None:
                        target[batch] = values.float().cpu().numpy()
        return Embeddings(keys, tokens)
