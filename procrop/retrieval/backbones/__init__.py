"""Retrieval encoders; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import Embeddings, RetrievalBackbone
from .distilled_keys import DistilledKeyRetrieval
from .efficientnet_lite import EfficientNetLiteRetrieval
from .torch_retrieval import TorchRetrieval

__all__ = [
    "DistilledKeyRetrieval",
    "EfficientNetLiteRetrieval",
    "Embeddings",
    "RetrievalBackbone",
    "TorchRetrieval",
]
