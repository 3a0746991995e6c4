"""Text encoders: captions of photos, and the image-text tokens that a cropper reads."""

from .base import TextEncoder
from .word_text_encoder import WordTextEncoder

__all__ = ["TextEncoder", "WordTextEncoder"]
