"""Retrieval encoders; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import Embeddings, RetrievalBackbone
from .efficientnet_lite import EfficientNetLiteRetrieval
from .hf_sam import HFSAMRetrieval
from .sam import SAMRetrieval
from .torch_retrieval import TorchRetrieval

__all__ = [
    "EfficientNetLiteRetrieval",
    "Embeddings",
    "HFSAMRetrieval",
    "RetrievalBackbone",
    "SAMRetrieval",
    "TorchRetrieval",
]
