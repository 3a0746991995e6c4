"""Loading of a sample's caption and image-text tokens."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS

if TYPE_CHECKING:  # opened when the first sample comes
    from procrop.datasets.text import TextTable


@TRANSFORMS.register_module()
class LoadTextTokens(BaseTransform):
    """Load a photo's caption and its text tokens M, as tools/text.py made them.

    The folder is opened when the first sample comes, once in each process. A photo whose text is dropped, or that has
    none where this is allowed, gets neither key: the model then goes without.

    Required keys: ``img_id``.

    Added keys: ``text_tokens`` (m', d_t) float16 without padding, ``caption`` (str).

    Args:
        folder: the dataset's text folder; None switches the step off (the model without text).
        drop_prob: in training, probability that a sample gets no text.
        allow_missing: whether photos without a caption pass; otherwise they are an error.
    """

    def __init__(self, folder: str | None, drop_prob: float = 0.0, allow_missing: bool = False) -> None:
        if not 0 <= drop_prob <= 1:
            raise ValueError(f"drop_prob must lie in [0, 1], got {drop_prob}")
        self.folder = folder
        self.drop_prob = drop_prob
        self.allow_missing = allow_missing
        self._opened: tuple[int, TextTable] | None = None

    @property
    def text_encoder(self) -> dict[str, Any] | None:
        """``fingerprint`` (hex), ``token_dim`` and ``config`` of what made the tokens; None without a folder."""
        if self.folder is None:
            return None
        table = self._open()
        return dict(fingerprint=table.fingerprint, token_dim=table.token_dim, config=table.encoder_cfg)

    def transform(self, results: dict) -> dict:
        """Add the text to a sample.

        Raises:
            ValueError: the folder is absent, damaged or has edited captions that are not encoded, or it lacks the
                photo (TextTableError is a ValueError).
        """
        if self.folder is None:
            return results
        table = self._open()
        dropped = np.random.random() < self.drop_prob  # drawn always: equal draws with any drop_prob
        if self.allow_missing and results["img_id"] not in table:
            return results
        entry = table.lookup(results["img_id"])
        if not dropped:
            results["caption"], results["text_tokens"] = entry
        return results

    def _open(self) -> "TextTable":
        """The text as this process opened it: memory maps are not shared over a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            from procrop.datasets.text import TextTable

            self._opened = (os.getpid(), TextTable.open(self.folder))
        return self._opened[1]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": None}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(folder={self.folder!r}, drop_prob={self.drop_prob}, "
            f"allow_missing={self.allow_missing})"
        )
