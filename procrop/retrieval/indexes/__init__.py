"""Vector indexes; imported as a whole by the registry, so each class takes its optional packages when
made."""

from .base import VectorIndex
from .elasticsearch_index import ElasticsearchIndex
from .faiss_index import FaissIndex
from .milvus_index import MilvusIndex
from .server_index import IndexServerError

__all__ = ["ElasticsearchIndex", "FaissIndex", "IndexServerError", "MilvusIndex", "VectorIndex"]
