"""Swapping the index of a gallery is one entry of its config and changes nothing that it finds."""

import numpy as np
import pytest
from colour_backbone import draw_photos
from index_kinds import KINDS

from procrop.retrieval import Gallery, NeighbourTable, build_gallery, items_from_folder

pytestmark = pytest.mark.usefixtures("elasticsearch_server")


@pytest.mark.parametrize("kind", ["hnsw", "milvus", "milvus-hnsw", "elastic", "elastic-knn"])
def test_a_gallery_finds_the_same_on_any_index(kind, tmp_path, photos, retrieval):
    if kind.startswith("milvus"):
        pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    items = items_from_folder(photos)
    other = [(p.stem, p.stem, p) for p in sorted(draw_photos(tmp_path / "queries", 5, seed=3).iterdir())]
    build_gallery(tmp_path / "flat", items, retrieval, photos)
    build_gallery(tmp_path / "other", items, {**retrieval, "index": KINDS[kind].config}, photos)
    flat, gallery = Gallery.open(tmp_path / "flat"), Gallery.open(tmp_path / "other")
    assert type(gallery.index).__name__ == KINDS[kind].config["type"] and gallery.verify() == []
    assert gallery.fingerprint == flat.fingerprint
    tables = [NeighbourTable.build(other, each, 7) for each in (flat, gallery)]
    np.testing.assert_array_equal(tables[0].ids, tables[1].ids)
    np.testing.assert_allclose(tables[0].scores, tables[1].scores, atol=1e-6)


def test_changed_keys_in_milvus_are_found_and_repaired_by_a_build(tmp_path, photos, retrieval):
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    config = {**retrieval, "index": dict(type="MilvusIndex")}
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), config, photos)
    before, index = gallery.content_sha256, gallery.index
    name = index._saved["name"]
    index._call("delete", collection_name=name, ids=[7])
    index._call("insert", collection_name=name, data=[{"id": 7, "key": np.ones(12, np.float32)}])
    (problem,) = gallery.verify()
    assert "index.milvus.db" in problem and "keys have changed" in problem
    again = build_gallery(tmp_path / "g", items_from_folder(photos), config, photos)
    assert again.verify() == [] and again.content_sha256 == before
