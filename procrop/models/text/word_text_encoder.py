"""Word tokens without any weights: for development, and for captions of a small vocabulary."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import TEXT_ENCODERS

from .base import TextEncoder, checked_captions

# raise when words are split or drawn otherwise, so that older tokens are refused
_VERSION = 2
_WORD = re.compile(r"\w+")


@TEXT_ENCODERS.register_module()
class WordTextEncoder(TextEncoder):
    """Each word of a caption as one random direction, always the same for the same word.

    A stand-in for a language model: it knows nothing of what words mean, and does not look at the photo. A cropper
    learns the words that its training captions use, and no others.

    Args:
        token_dim: Width d_t of a token.
        max_tokens: Words that count; the rest of a caption is cut off.

    Raises:
        ValueError: One of them is below 1.
    """

    def __init__(self, token_dim: int = 64, max_tokens: int = 32) -> None:
        if min(token_dim, max_tokens) < 1:
            raise ValueError(f"token_dim and max_tokens must be at least 1, not {token_dim} and {max_tokens}")
        self._token_dim, self._max_tokens = int(token_dim), int(max_tokens)

    @property
    def token_dim(self) -> int:
        return self._token_dim

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def needs_photo(self) -> bool:
        return False

    @property
    def fingerprint(self) -> str:
        settings = {"token_dim": self._token_dim, "max_tokens": self._max_tokens, "version": _VERSION}
        return sha256_json({"type": type(self).__name__, **settings})

    def encode(self, images: Sequence[np.ndarray | None], captions: Sequence[str]) -> list[np.ndarray]:
        found = []
        for caption in checked_captions(images, captions):
            # a caption of signs alone still has a token
            # (composed: a letter and its accent may be two characters, of which one is no part of a word)
            words = _WORD.findall(unicodedata.normalize("NFC", caption).lower()) or [caption]
            found.append(np.stack([_direction(word, self._token_dim) for word in words[: self._max_tokens]]))
        return found


@lru_cache(maxsize=4096)
def _direction(word: str, dim: int) -> np.ndarray:
    """(dim,) float16 of length sqrt(dim), a function of the word."""
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    drawn = np.random.default_rng(seed).standard_normal(dim)
    return (drawn * np.sqrt(dim / np.square(drawn).sum())).astype(np.float16)
