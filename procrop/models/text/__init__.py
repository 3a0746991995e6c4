"""Text encoders: captions of photos, and the image-text tokens that a cropper reads."""

from .base import TextEncoder
from .blip_text_encoder import BLIPTextEncoder
from .clip_text_encoder import CLIPTextEncoder
from .torch_text_encoder import TorchTextEncoder
from .word_text_encoder import WordTextEncoder

__all__ = ["BLIPTextEncoder", "CLIPTextEncoder", "TextEncoder", "TorchTextEncoder", "WordTextEncoder"]
