"""Retrieval encoders; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import Embeddings, RetrievalBackbone
from .clip import CLIPRetrieval
from .dreamsim import DreamSimRetrieval
from .efficientnet_lite import EfficientNetLiteRetrieval
from .lpips import LPIPSRetrieval
from .torch_retrieval import TorchRetrieval

__all__ = [
    "CLIPRetrieval",
    "DreamSimRetrieval",
    "EfficientNetLiteRetrieval",
    "Embeddings",
    "LPIPSRetrieval",
    "RetrievalBackbone",
    "TorchRetrieval",
]
