"""Exact search against brute force, with every bad input refused by name."""

import numpy as np
import pytest

from procrop.retrieval.indexes import FaissIndex

METRICS = ("cosine", "inner_product", "l2")


def brute_force(keys, ids, queries, metric):
    """All ids per query by (-score, id), and the scores, in float64."""
    k, q = keys.astype(np.float64), queries.astype(np.float64)
    if metric == "l2":
        scores = np.array([[-sum((a - b) ** 2) for b in k] for a in q])
    else:
        scores = q @ k.T
        if metric == "cosine":
            scores /= np.outer(np.linalg.norm(q, axis=1), np.linalg.norm(k, axis=1))
    order = [sorted(range(len(ids)), key=lambda j, row=row: (-row[j], ids[j])) for row in scores]
    return np.array([[ids[j] for j in o] for o in order]), np.take_along_axis(scores, np.array(order), 1)


@pytest.fixture
def keys():
    return np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)


def filled(keys, metric="cosine", ids=None):
    index = FaissIndex(metric=metric)
    index.add(np.arange(len(keys)) if ids is None else ids, keys)
    return index


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 7, 200])
def test_agrees_with_brute_force(keys, metric, k):
    ids = np.random.default_rng(1).permutation(1000)[:200]
    queries = np.random.default_rng(2).normal(size=(30, 16)).astype(np.float32)
    found, scores = filled(keys, metric, ids).search(queries, k)
    expected, expected_scores = brute_force(keys, ids, queries, metric)
    assert found.dtype == np.int64 and scores.dtype == np.float32
    np.testing.assert_array_equal(found, expected[:, :k])
    np.testing.assert_allclose(scores, expected_scores[:, :k], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("queries", [1, 40])
def test_ties_go_by_id_however_many(metric, queries):
    """150 copies of one vector: FAISS alone returns them in the order of its heap and its block sizes."""
    rng = np.random.default_rng(0)
    keys = np.repeat(rng.normal(size=(2, 48)), [150, 50], axis=0).astype(np.float32)
    ids = rng.permutation(200)
    found, _ = filled(keys, metric, ids).search(keys[:queries], 10)
    np.testing.assert_array_equal(found, np.tile(np.sort(ids[:150])[:10], (queries, 1)))


def test_the_size_of_a_batch_changes_nothing(keys):
    index = filled(keys)
    together = index.search(keys, 20)
    for i in (0, 57, 199):
        alone = index.search(keys[i : i + 1], 20)
        np.testing.assert_array_equal(alone[0][0], together[0][i])
        np.testing.assert_array_equal(alone[1][0], together[1][i])


def test_k_beyond_the_index_zero_and_no_query(keys):
    index = filled(keys[:5])
    ids, scores = index.search(keys[:3], 50)
    assert ids.shape == scores.shape == (3, 5) and sorted(ids[0]) == [0, 1, 2, 3, 4]
    assert index.search(keys[:3], 0)[0].shape == (3, 0)
    assert index.search(keys[:0], 4)[0].shape == (0, 4)
    assert FaissIndex().search(keys[:3], 4)[0].shape == (3, 0)
    with pytest.raises(ValueError, match="k must be"):
        index.search(keys, -1)


@pytest.mark.parametrize("metric", METRICS)
def test_exclusion_returns_the_next_best(keys, metric):
    index = filled(keys, metric)
    everything, _ = index.search(keys[:4], 200)
    barred = everything[:, :30].ravel()
    found, _ = index.search(keys[:4], 15, exclude=barred)
    for row, full in zip(found, everything, strict=True):
        np.testing.assert_array_equal(row, [i for i in full if i not in set(barred)][:15])
    assert index.search(keys[:1], 9, exclude=np.arange(200))[0].shape == (1, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(keys, bad):
    keys[7, 3] = bad
    with pytest.raises(ValueError, match="gallery photo 107 holds NaN"):
        filled(keys, ids=np.arange(100, 300))
    index = filled(keys[:5])
    with pytest.raises(ValueError, match="query 2 holds NaN"):
        index.search(keys[5:9], 3)


def test_zero_vectors_have_no_cosine_but_a_distance(keys):
    keys[4] = 0
    with pytest.raises(ValueError, match="gallery photo 4 is all zero"):
        filled(keys)
    assert filled(keys, "l2").search(keys[4:5], 1)[0].tolist() == [[4]]


def test_another_length_or_type_is_refused(keys):
    index = filled(keys)
    with pytest.raises(ValueError, match="length 15, but the index holds keys of length 16"):
        index.search(keys[:, :15], 1)
    with pytest.raises(ValueError, match="another encoder"):
        index.add(np.array([500]), np.ones((1, 17), np.float32))
    with pytest.raises(ValueError, match="float array"):
        index.search(np.ones((1, 16), np.int64), 1)


@pytest.mark.parametrize("ids", [[0, 1, 1], [0, -1, 2], [0, 1]])
def test_bad_ids_are_refused(keys, ids):
    with pytest.raises(ValueError, match="ids"):
        filled(keys[:3], ids=np.array(ids))


def test_bad_settings():
    with pytest.raises(ValueError, match="hamming"):
        FaissIndex(metric="hamming")
    with pytest.raises(ValueError, match="IVF16"):
        FaissIndex(factory="IVF16,Flat")


@pytest.mark.parametrize("metric", METRICS)
def test_save_and_open(keys, metric, tmp_path):
    ids = np.arange(200)[::-1] * 3
    index = filled(keys, metric, ids)
    index.save(tmp_path / "index")
    again = FaissIndex.open(tmp_path / "index")
    assert (again.metric, len(again), again.dim) == (metric, 200, 16)
    for a, b in zip(again.search(keys, 5), index.search(keys, 5), strict=True):
        np.testing.assert_array_equal(a, b)
    again.add(np.array([10_000]), keys[:1] * 2)
    assert len(again) == 201


@pytest.mark.parametrize("position", [25, 60, 400, 5000, -3])
def test_a_flipped_byte_is_found(keys, tmp_path, position):
    filled(keys).save(tmp_path / "index")
    data = bytearray((tmp_path / "index").read_bytes())
    data[position] ^= 4
    (tmp_path / "index").write_bytes(data)
    with pytest.raises(ValueError, match="index.*build"):
        FaissIndex.open(tmp_path / "index")


def test_cut_foreign_and_absent_files_are_refused(keys, tmp_path):
    path = tmp_path / "index"
    with pytest.raises(ValueError, match="cannot be read"):
        FaissIndex.open(path)
    filled(keys).save(path)
    data = path.read_bytes()
    for content in (data[: len(data) // 2], data[:10], b"", b"something else entirely"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="build"):
            FaissIndex.open(path)
    path.write_bytes(data.replace(b'"version": 1', b'"version": 0'))
    with pytest.raises(ValueError, match="version 0"):
        FaissIndex.open(path)
    with pytest.raises(ValueError, match="without keys"):
        FaissIndex().save(path)
