"""Similarities to given photos are those that an exact search finds."""

from types import SimpleNamespace

import numpy as np
import pytest

from procrop.retrieval import FaissIndex, FeatureStore, NoTransform
from procrop.retrieval.gallery_format import KEYS
from procrop.retrieval.query_encoder import similarities


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
def test_they_are_the_scores_of_the_search(tmp_path, metric):
    rng = np.random.default_rng(0)
    rows, queries = (rng.normal(size=(n, 16)).astype(np.float32) for n in (40, 3))
    store = FeatureStore.create(tmp_path / KEYS, (16,), "float32")
    store.append(rows)
    gallery = SimpleNamespace(folder=tmp_path, metric=metric, key_transform=NoTransform())
    index = FaissIndex(metric=metric)
    index.add(np.arange(40), rows)
    found, scores = index.search(queries, 40)
    asked = np.array([39, 0, 7])
    expected = [[dict(zip(f, s, strict=True))[i] for i in asked] for f, s in zip(found, scores, strict=True)]
    np.testing.assert_allclose(similarities(gallery, queries, asked), expected, rtol=1e-4, atol=1e-5)
    assert similarities(gallery, queries, asked[:0]).shape == (3, 0)
