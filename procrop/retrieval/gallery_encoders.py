"""The encoders of a gallery: one for the keys, and another one for the tokens where the config asks for it."""

from collections.abc import Sequence

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import RETRIEVAL_BACKBONES

from .backbones.base import RetrievalBackbone
from .gallery_design import GalleryDesign, portable_config
from .gallery_format import VERSION
from .key_transforms import KeyTransform, build_key_transform, raw_keys


class GalleryEncoders:
    """Encodes the photos of a gallery.

    ``backbone`` makes the keys, directly or (MeanPool) as the mean of its tokens, and is the encoder of queries later
    on. The tokens are its own, or those of ``token_backbone``, which is needed at the build only.

    Args:
        retrieval: Config with ``backbone``, and optionally ``token_backbone``, ``key_transform`` and ``index``.
        backbone: The encoder of keys, when it is made already.
        token_backbone: The encoder of tokens, when it is made already.

    Raises:
        ValueError: Parts that do not fit each other.
    """

    def __init__(
        self,
        retrieval: dict,
        backbone: RetrievalBackbone | None = None,
        token_backbone: RetrievalBackbone | None = None,
    ) -> None:
        self.config = portable_config(retrieval)
        self.transform: KeyTransform = build_key_transform(retrieval.get("key_transform"))
        self.backbone = backbone or RETRIEVAL_BACKBONES.build(dict(retrieval["backbone"]))
        self.token_backbone = token_backbone
        if retrieval.get("token_backbone") and token_backbone is None:
            self.token_backbone = RETRIEVAL_BACKBONES.build(dict(retrieval["token_backbone"]))
        if not self.transform.takes_tokens and self.backbone.key_dim is None:
            raise ValueError(
                "this encoder gives tokens only: put dict(type='MeanPool') first in key_transform"
            )
        if self.transform.takes_tokens and self.backbone.token_shape is None:
            raise ValueError(
                "this encoder gives keys only: MeanPool, which pools the tokens of `backbone`, has none"
            )
        if self.token_backbone is not None and self.token_backbone.token_shape is None:
            raise ValueError(
                "token_backbone gives keys only; take an encoder that gives tokens, or leave it out"
            )

    def design(self) -> GalleryDesign:
        """What these encoders make of photos."""
        of_keys, of_tokens = self.backbone, self.token_backbone or self.backbone
        token_fingerprint = None if self.token_backbone is None else self.token_backbone.fingerprint
        maker = [VERSION, of_keys.fingerprint, token_fingerprint, self.transform.takes_tokens]
        return GalleryDesign(
            retrieval=self.config,
            maker=sha256_json(maker),
            backbone_fingerprint=of_keys.fingerprint,
            token_backbone_fingerprint=token_fingerprint,
            metric=of_keys.metric,
            key_dim=of_keys.token_shape[1] if self.transform.takes_tokens else of_keys.key_dim,
            token_shape=of_tokens.token_shape,
            token_grid=of_tokens.token_grid,
        )

    @property
    def chunk(self) -> int:
        """Photos to read and encode between two signs of progress: a few batches, fewer of a heavy encoder."""
        return 4 * min(encoder.batch_size for encoder in self._all)

    @property
    def on_accelerator(self) -> bool:
        """Whether encoding leaves the CPU's cores free."""
        return all(encoder.on_accelerator for encoder in self._all)

    def prepare(self, photo: np.ndarray) -> tuple[np.ndarray, ...]:
        """A photo (H, W, 3) uint8 RGB at the working size of each encoder."""
        return tuple(encoder.prepare(photo) for encoder in self._all)

    @property
    def _all(self) -> list[RetrievalBackbone]:
        return [self.backbone] if self.token_backbone is None else [self.backbone, self.token_backbone]

    def encode(self, prepared: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, np.ndarray | None]:
        """Raw keys (B, d_raw) float32 and tokens (B, m, d_r) float16 or None of B prepared photos."""
        found = self.backbone.encode([images[0] for images in prepared])
        keys, tokens = raw_keys(found.keys, found.tokens, self.transform), found.tokens
        if self.token_backbone is not None:
            tokens = self.token_backbone.encode([images[1] for images in prepared]).tokens
        return keys, tokens
