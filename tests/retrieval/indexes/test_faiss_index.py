"""What is FAISS's own: factories, training, how far a search looks."""

import numpy as np
import pytest

from procrop.retrieval.indexes import FaissIndex

KEYS = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)


def filled(factory, keys=KEYS, metric="cosine", **settings):
    index = FaissIndex(factory, metric, **settings)
    index.train(keys)
    index.add(np.arange(len(keys)), keys)
    return index


@pytest.mark.parametrize("factory", ["Flatt", "IVF,Flat", "IDMap,Flat", "IVF16", "Flat,", "LSH", ""])
def test_factories_that_are_not_taken(factory):
    with pytest.raises(ValueError, match="not taken; examples: 'Flat'"):
        FaissIndex(factory)


def test_settings_that_mean_nothing_or_are_out_of_range():
    with pytest.raises(ValueError, match="'Flat' has no nprobe"):
        FaissIndex("Flat", nprobe=4)
    with pytest.raises(ValueError, match="'IVF16,PQ4' has no k_factor"):
        FaissIndex("IVF16,PQ4", k_factor=4)
    with pytest.raises(ValueError, match="ef_search must be a whole number of at least 1"):
        FaissIndex("HNSW32", ef_search=0)


def test_a_code_that_does_not_divide_the_key_is_refused():
    with pytest.raises(ValueError, match="'PQ5' does not fit keys of length 16"):
        FaissIndex("PQ5").train(KEYS)


@pytest.mark.parametrize(
    ("factory", "needed"),
    [
        ("IVF128,Flat", "128 keys.*128 lists"),
        ("PQ4", "256 keys.*8 bits"),
        ("OPQ4,IVF8,PQ4x4", "256 keys.*OPQ"),
    ],
)
def test_too_few_keys_to_train_on(factory, needed):
    with pytest.raises(ValueError, match=f"factory '{factory}' needs at least {needed}"):
        FaissIndex(factory).train(KEYS[:100])


def test_keys_before_training_are_refused():
    with pytest.raises(ValueError, match="'IVF4,Flat' must be trained.*train"):
        FaissIndex("IVF4,Flat").add(np.arange(600), KEYS)


def test_training_twice_or_for_nothing_changes_nothing(tmp_path):
    index = filled("IVF4,Flat")
    before = index.search(KEYS[:9], 5)
    index.train(KEYS[:50])
    np.testing.assert_array_equal(index.search(KEYS[:9], 5)[0], before[0])
    FaissIndex("Flat").train(KEYS[:1])


def test_much_training_data_is_sampled_the_same_way():
    keys = np.random.default_rng(1).normal(size=(70_000, 4)).astype(np.float32)
    a, b = (FaissIndex("IVF4,Flat") for _ in range(2))
    for index in (a, b):
        index.train(keys)
        index.add(np.arange(70_000), keys)
    for one, other in zip(a.search(keys[:50], 5), b.search(keys[:50], 5), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("factory", ["IVF64,Flat", "IVF64,PQ4x4,RFlat"])
def test_few_probes_look_further_where_too_few_are_found(factory):
    """One list holds about ten keys, and fifty are wanted."""
    ids, _ = filled(factory, nprobe=1).search(KEYS[:20], 50)
    assert ids.shape == (20, 50) and all(len(set(row)) == 50 for row in ids)


def test_more_effort_finds_more():
    exact = filled("Flat").search(KEYS, 10)[0]

    def recall(factory, **settings):
        found = filled(factory, **settings).search(KEYS, 10)[0]
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, exact, strict=True)])

    assert recall("IVF32,Flat", nprobe=1) < recall("IVF32,Flat", nprobe=8) < 1
    assert recall("IVF32,Flat", nprobe=32) == 1
    assert recall("PQ4x4,RFlat", k_factor=1) < recall("PQ4x4,RFlat", k_factor=20)
    assert recall("HNSW2", ef_search=1) < recall("HNSW2", ef_search=300)


def test_settings_are_saved(tmp_path):
    filled("IVF32,PQ4x4,RFlat", nprobe=3, k_factor=7).save(tmp_path / "index")
    again = FaissIndex.open(tmp_path / "index")
    assert again.settings == {"nprobe": 3, "k_factor": 7} and again.factory == "IVF32,PQ4x4,RFlat"


@pytest.mark.parametrize("factory", ["Flat", "HNSW8", "IVF4,Flat", "IVF4,PQ4x4,RFlat"])
def test_keys_can_be_added_after_a_search_and_after_opening(factory, tmp_path):
    index = filled(factory)
    index.search(KEYS[:2], 3)
    index.add(np.array([1000]), KEYS[:1] + np.float32(0.01))
    index.save(tmp_path / "index")
    again = FaissIndex.open(tmp_path / "index")
    again.add(np.array([2000]), KEYS[:1] + np.float32(0.02))
    assert len(again) == 602
    assert again.search(KEYS[:1], 3)[0].tolist() == [[0, 1000, 2000]]


def test_the_global_threshold_of_faiss_is_left_as_it_was():
    import faiss

    before = faiss.cvar.distance_compute_blas_threshold
    filled("Flat").search(KEYS, 3)
    assert faiss.cvar.distance_compute_blas_threshold == before
