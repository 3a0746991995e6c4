"""Every kind of index that the shared suite runs over."""

import importlib.util
import os
from dataclasses import dataclass, field

import pytest

from procrop.registry import INDEXES

METRICS = ("cosine", "inner_product", "l2")


@dataclass
class Kind:
    """A kind of index.

    Attributes:
        config: What a config says.
        exact: Whether ids are those of exact search, ties by id.
        complete: Whether the settings make it look at everything, so that it finds what exact search finds.
        rescored: Whether scores are exact.
        needs: Package without which it is skipped.
    """

    config: dict
    exact: bool = False
    complete: bool = True
    rescored: bool = True
    needs: str = "faiss"
    on_server: bool = field(default=False)


def faiss(factory, **settings):
    return dict(type="FaissIndex", factory=factory, **settings)


KINDS = {
    "flat": Kind(faiss("Flat"), exact=True),
    "hnsw": Kind(faiss("HNSW8", ef_search=200)),
    "ivf": Kind(faiss("IVF4,Flat", nprobe=4)),
    "ivf-hnsw": Kind(faiss("IVF4_HNSW8,Flat", nprobe=4)),
    "ivf-pq-refined": Kind(faiss("IVF4,PQ4x4,RFlat", nprobe=4, k_factor=200)),
    "pca-ivf-pq-refined": Kind(faiss("PCA8,IVF4,PQ4x4,Refine(Flat)", nprobe=4, k_factor=200)),
    "pq": Kind(faiss("PQ4x4"), complete=False, rescored=False),
    "ivf-pq": Kind(faiss("IVF4,PQ4x4"), complete=False, rescored=False),
    "hnsw-sq": Kind(faiss("HNSW8,SQ8"), complete=False, rescored=False),
    "sq-refined": Kind(faiss("SQ8,RFlat", k_factor=200)),
    "milvus": Kind(dict(type="MilvusIndex"), exact=True, needs="milvus_lite", on_server=True),
    "milvus-hnsw": Kind(
        dict(
            type="MilvusIndex",
            index_type="HNSW",
            index_params=dict(M=8, efConstruction=64),
            search_params=dict(ef=200),
        ),
        needs="milvus_lite",
        on_server=True,
    ),
    "elastic": Kind(dict(type="ElasticsearchIndex"), exact=True, needs="elasticsearch", on_server=True),
    "elastic-knn": Kind(
        dict(type="ElasticsearchIndex", exact=False, num_candidates=200),
        rescored=False,
        needs="elasticsearch",
        on_server=True,
    ),
}
EXACT = [name for name, kind in KINDS.items() if kind.exact]
# one of each class for what all of a class have in common
CLASSES = ("flat", "milvus", "elastic")


def make(name, metric="cosine"):
    """An empty index of a kind; skips where its package is missing."""
    kind = KINDS[name]
    if importlib.util.find_spec(kind.needs) is None:
        pytest.skip(f"{kind.needs} is not installed")
    return INDEXES.build(dict(kind.config, metric=metric))


def filled(name, path, keys, ids, metric="cosine"):
    """An index that holds keys; one on a server has sent them there and left its pointer at ``path``."""
    index = make(name, metric)
    index.train(keys)
    index.add(ids, keys)
    if KINDS[name].on_server:
        index.save(path)
    return index


def has_real_elasticsearch():
    return bool(os.environ.get("ELASTICSEARCH_URL"))
