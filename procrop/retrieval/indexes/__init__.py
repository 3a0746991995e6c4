"""Vector indexes; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import VectorIndex
from .faiss_index import FaissIndex

__all__ = ["FaissIndex", "VectorIndex"]
