"""Retrieval encoders; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import Embeddings, RetrievalBackbone
from .efficientnet_lite import EfficientNetLiteRetrieval
from .line_composition import LineCompositionRetrieval
from .torch_retrieval import TorchRetrieval

__all__ = [
    "EfficientNetLiteRetrieval",
    "Embeddings",
    "LineCompositionRetrieval",
    "RetrievalBackbone",
    "TorchRetrieval",
]
