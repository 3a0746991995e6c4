"""What a gallery will take is computed right, and what cannot work is refused before anything is encoded."""

import numpy as np
import pytest
from colour_backbone import ColourBackbone

from procrop.retrieval import GalleryError, build_gallery, items_from_folder
from procrop.retrieval.gallery_cost import estimate_cost, format_bytes
from procrop.retrieval.gallery_encoders import GalleryEncoders


class Long(ColourBackbone):
    """Keys as long as LPIPS makes them."""

    @property
    def key_dim(self):
        return 31_000

    @property
    def token_shape(self):
        return 64, 256


def cost(photos=55_000, **retrieval):
    config = dict(backbone=dict(type="ColourBackbone"), **retrieval)
    return estimate_cost(GalleryEncoders(config, Long()), photos)


def test_bytes_of_keys_tokens_and_index():
    found = cost()
    assert found.keys_per_photo == 124_000 and found.tokens_per_photo == 32_768
    assert found.index_per_photo == 124_008
    assert found.disk() == 55_000 * (124_000 + 32_768 + 124_008)
    assert found.disk(new_photos=10) == 10 * (124_000 + 32_768) + 55_000 * 124_008
    assert found.disk(new_photos=10, indexed=False) == 10 * (124_000 + 32_768)


def test_the_cost_in_words(tmp_path):
    text = "\n".join(cost().lines(tmp_path / "not" / "there" / "yet"))
    assert "55,000 photos take 15.4 GB, 281 kB per photo" in text
    assert "31,000 float32 per photo = 6.8 GB" in text and "64 x 256 float16 per photo = 1.8 GB" in text
    assert "free at" in text and "put dict(type='PCA', dim=256) into key_transform" in text
    shortened = cost(key_transform=[dict(type="PCA", dim=256), dict(type="Normalise")])
    text = "\n".join(shortened.lines(tmp_path))
    assert "FaissIndex Flat of keys of 256 = 56.8 MB" in text and "slow to search" not in text


def test_the_estimate_is_what_is_written(tmp_path, photos, retrieval):
    gallery = build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)
    found = estimate_cost(GalleryEncoders(retrieval), 20)
    (shard,) = gallery.manifest["extra"]["shards"]
    sizes = {name: entry["bytes"] for name, entry in gallery.manifest["files"].items()}
    header = 128
    assert sizes[f"keys/{shard}.npy"] - header == 20 * found.keys_per_photo
    assert sizes[f"tokens/{shard}.npy"] - header == 20 * found.tokens_per_photo
    assert 0 <= sizes["index"] - 20 * found.index_per_photo < 600


def test_elasticsearch_takes_keys_up_to_its_limit(tmp_path, photos):
    config = dict(backbone=dict(type="ColourBackbone"), index=dict(type="ElasticsearchIndex"))
    with pytest.raises(ValueError, match="at most 4,096 numbers, and these have 31,000.*PCA"):
        build_gallery(tmp_path / "g", items_from_folder(photos), config, photos, backbone=Long())
    assert cost(index=dict(type="ElasticsearchIndex"), key_transform=dict(type="PCA", dim=4096)).photos


def test_keys_that_a_transform_cannot_shorten_are_refused_at_once(tmp_path, photos, retrieval):
    retrieval["key_transform"] = dict(type="PCA", dim=13)
    with pytest.raises(ValueError, match=r"PCA\(dim=13\) cannot shorten keys of length 12"):
        build_gallery(tmp_path / "g", items_from_folder(photos), retrieval, photos)


def test_the_cost_is_told_before_anything_is_encoded(tmp_path, photos, retrieval):
    class Failing(ColourBackbone):
        def encode(self, images):
            raise RuntimeError("encoding")

    told = []
    with pytest.raises(RuntimeError, match="encoding"):
        build_gallery(
            tmp_path / "g",
            items_from_folder(photos),
            retrieval,
            photos,
            backbone=Failing(),
            on_cost=told.append,
        )
    assert told[0].photos == 20 and told[0].key_dim == 12


def test_a_resumed_build_needs_space_for_the_rest_only(tmp_path, photos, retrieval, monkeypatch):
    import shutil

    from procrop.retrieval import gallery_cost

    items = items_from_folder(photos)
    build_gallery(tmp_path / "g", items[:18], retrieval, photos, shard_size=3)
    # two photos' rows of 72 bytes and the index of 20 keys of 56 bytes
    free = 2 * 72 + 20 * 56
    monkeypatch.setattr(
        gallery_cost.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, free - 1)
    )
    with pytest.raises(GalleryError, match="rows of 2 photos"):
        build_gallery(tmp_path / "g", items, retrieval, photos, shard_size=3)
    monkeypatch.setattr(gallery_cost.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, free))
    assert len(build_gallery(tmp_path / "g", items, retrieval, photos, shard_size=3)) == 20


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (124_000, "124 kB"), (6.82e9, "6.8 GB")],
)
def test_bytes_for_people(number, text):
    assert format_bytes(number) == text


@pytest.mark.parametrize(
    ("factory", "size"),
    [
        ("Flat", 4 * 12 + 8),
        ("HNSW16", 4 * 12 + 8 + 128 + 16),
        ("HNSW,SQ8", 12 + 8 + 256 + 16),
        ("IVF256,Flat", 4 * 12 + 16),
        ("IVF256,PQ6", 6 + 16),
        ("IVF256,PQ6,RFlat", 6 + 16 + 48),
        ("IVF4096,PQ6x4fs,RFlat", 3 + 16 + 48),
        ("OPQ6,IVF65536,PQ6", 6 + 16),
        ("PCA4,IVF16,Flat,Refine(Flat)", 16 + 16 + 48),
        ("IVF256_HNSW32,SQ4", 6 + 16),
        ("PQ6x12np", 9 + 8),
        ("HNSW32_PQ6", 6 + 8 + 256 + 16),
        ("Spiral", None),
        ("", None),
    ],
)
def test_bytes_by_kind_of_index(factory, size):
    config = dict(
        backbone=dict(type="ColourBackbone"), index=dict(type="procrop.FaissIndex", factory=factory)
    )
    assert estimate_cost(GalleryEncoders(config), 5).index_per_photo == size


@pytest.mark.parametrize(
    "factory",
    [
        "Flat",
        "HNSW16",
        "HNSW16,SQ8",
        "HNSW8_PQ4x4",
        "IVF8,PQ4x4fs,RFlat",
        "OPQ4,IVF8,PQ4x4",
        "PCA8,IVF8,Flat",
        "RR8,Flat",
        "PQ4x4",
        "PQ4x4np",
        "PQ4x4fs",
        "PQ4x8",
        "SQ8",
        "SQ6",
        "SQ4",
        "SQfp16",
        "PQ4x4,Refine(Flat)",
        "IVF8_HNSW4,Flat",
    ],
)
def test_the_estimate_fits_what_faiss_writes(tmp_path, factory):
    from procrop.retrieval.index_cost import faiss_bytes
    from procrop.retrieval.indexes import FaissIndex

    keys = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)
    index = FaissIndex(factory=factory)
    index.train(keys)
    index.add(np.arange(600), keys)
    index.save(tmp_path / "index")
    each, once = faiss_bytes(factory, 16)
    # what is left is the header, and what lists and blocks are short of being full
    assert 0.85 < (600 * each + once) / (tmp_path / "index").stat().st_size < 1.1


def test_an_index_on_a_server_takes_nothing_here(tmp_path):
    for config in (dict(type="ElasticsearchIndex"), dict(type="MilvusIndex", uri="http://milvus:19530")):
        found = cost(index=config, key_transform=dict(type="PCA", dim=256))
        assert found.index_bytes == 0 and "nothing on this disk" in "\n".join(found.lines(tmp_path))
    assert cost(index=dict(type="MilvusIndex")).index_bytes == 55_000 * 10 * 31_000
