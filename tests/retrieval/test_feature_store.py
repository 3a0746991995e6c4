"""Shards are appended whole and read in any order."""

import pickle

import numpy as np
import pytest

from procrop.retrieval.feature_store import FeatureStore, FeatureStoreError, write_rows


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(10, 3, 4)).astype(np.float16)


@pytest.fixture
def store(tmp_path, rows):
    store = FeatureStore.create(tmp_path / "s", (3, 4), np.float16)
    for part in (rows[:4], rows[4:4], rows[4:9], rows[9:]):
        store.append(part)
    return store


def test_reads_any_rows(store, rows):
    again = FeatureStore.open(store.folder)
    assert len(again) == 10 and again.files == ["store.json", *(f"{i:05d}.npy" for i in range(4))]
    wanted = [9, 0, 4, 4, 3]
    np.testing.assert_array_equal(again.read(wanted), rows[wanted])
    np.testing.assert_array_equal(again.read_all(), rows)
    assert again.read([]).shape == (0, 3, 4) and again.read([]).dtype == np.float16


@pytest.mark.parametrize("row", [-1, 10])
def test_rows_outside_are_refused(store, row):
    with pytest.raises(IndexError, match=f"no row {row}"):
        store.read([0, row])


def test_other_shapes_and_types_are_refused(store):
    with pytest.raises(ValueError, match="float32"):
        store.append(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match="holds rows of"):
        store.append(np.zeros((2, 4, 3), np.float16))


def test_an_unlisted_shard_is_ignored_and_overwritten(store, rows):
    (store.folder / "00004.npy").write_bytes(b"half written")
    again = FeatureStore.open(store.folder)
    assert len(again) == 10
    again.append(rows[:2])
    np.testing.assert_array_equal(FeatureStore.open(store.folder).read([10, 11]), rows[:2])


def test_damage_is_found(store):
    data = bytearray((store.folder / "00002.npy").read_bytes())
    data[-1] ^= 1
    (store.folder / "00002.npy").write_bytes(data)
    (problem,) = store.verify()
    assert "00002.npy" in problem


@pytest.mark.parametrize("content", [b"", None, "cut"])
def test_a_cut_or_missing_shard_is_an_error_that_names_it(store, content):
    path = store.folder / "00002.npy"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:150] if content == "cut" else content)
    again = FeatureStore.open(store.folder)
    with pytest.raises(FeatureStoreError, match="00002.npy"):
        again.read([4])
    assert again.read([0]).shape == (1, 3, 4)


def test_absent_damaged_and_older_lists(tmp_path, store):
    with pytest.raises(FeatureStoreError, match="store.json"):
        FeatureStore.open(tmp_path / "nowhere")
    path = store.folder / "store.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(FeatureStoreError, match="version 0"):
        FeatureStore.open(store.folder)
    path.write_text("{}")
    with pytest.raises(FeatureStoreError, match="store.json"):
        FeatureStore.open(store.folder)


def test_pickling_carries_no_rows(tmp_path, rows):
    store = FeatureStore.create(tmp_path / "big", (3, 4), np.float16)
    store.append(np.tile(rows, (1000, 1, 1)))
    store.read([5])
    data = pickle.dumps(store)
    assert len(data) < 2000
    np.testing.assert_array_equal(pickle.loads(data).read([13]), rows[3:4])


def test_a_store_of_files_that_are_there(tmp_path, rows):
    parts = [("b", rows[:6]), ("a", rows[6:6]), ("c", rows[6:])]
    shards = [
        (f"{name}.npy", len(part), write_rows(tmp_path / "s" / f"{name}.npy", part)) for name, part in parts
    ]
    FeatureStore.assemble(tmp_path / "s", (3, 4), "float16", shards)
    again = FeatureStore.open(tmp_path / "s")
    np.testing.assert_array_equal(again.read_all(), rows)
    assert again.verify() == [] and again.files == ["store.json", "b.npy", "a.npy", "c.npy"]
