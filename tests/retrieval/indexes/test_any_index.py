"""What every index does: exact ones against brute force, all of them against the contract."""

import errno
import resource
from contextlib import contextmanager

import numpy as np
import pytest
from index_kinds import CLASSES, EXACT, KINDS, METRICS, filled, make

pytestmark = pytest.mark.usefixtures("elasticsearch_server")

RNG = np.random.default_rng(0)
KEYS = RNG.normal(size=(200, 16)).astype(np.float32)
IDS = RNG.permutation(1000)[:200]
QUERIES = RNG.normal(size=(30, 16)).astype(np.float32)

every_kind = pytest.mark.parametrize("kind", KINDS)
every_metric = pytest.mark.parametrize("metric", METRICS)
every_class = pytest.mark.parametrize("kind", CLASSES)


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


@pytest.fixture(scope="module")
def expected():
    return {metric: brute_force(KEYS, IDS, QUERIES, metric) for metric in METRICS}


class Standard:
    """Indexes over KEYS and IDS, each made and saved once; nobody adds to them."""

    def __init__(self, folder):
        self.folder, self.made = folder, {}

    def path(self, kind, metric="cosine"):
        return self.folder / f"{kind}-{metric}" / "index"

    def __call__(self, kind, metric="cosine"):
        if (kind, metric) not in self.made:
            index = filled(kind, self.path(kind, metric), KEYS, IDS, metric)
            index.save(self.path(kind, metric))
            self.made[kind, metric] = index
        return self.made[kind, metric]


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    return Standard(tmp_path_factory.mktemp("standard"))


def is_sorted(ids, scores):
    """Whether each row is in the order of (-score, id)."""
    ranks = [
        sorted(range(len(i)), key=lambda j, i=i, s=s: (-s[j], i[j])) for i, s in zip(ids, scores, strict=True)
    ]
    return ranks == [list(range(ids.shape[1]))] * len(ids)


@every_kind
@every_metric
def test_finds_what_brute_force_finds(kind, metric, standard, expected):
    all_ids, all_scores = expected[metric]
    index, what = standard(kind, metric), KINDS[kind]
    assert (len(index), index.dim, index.metric) == (200, 16, metric)
    for k in (1, 7, 200):
        ids, scores = index.search(QUERIES, k)
        assert ids.dtype == np.int64 and scores.dtype == np.float32 and ids.shape == scores.shape == (30, k)
        assert is_sorted(ids, scores) and all(len(set(row)) == k for row in ids) and np.isin(ids, IDS).all()
        if what.complete:
            np.testing.assert_array_equal(ids, all_ids[:, :k])
            np.testing.assert_allclose(scores, all_scores[:, :k], rtol=1e-5, atol=1e-5)
        elif what.rescored:
            table = [dict(zip(*row, strict=True)) for row in zip(all_ids, all_scores, strict=True)]
            true = [[row[i] for i in own] for row, own in zip(table, ids, strict=True)]
            np.testing.assert_allclose(scores, true, rtol=1e-5, atol=1e-5)
        else:
            # codes of 4 x 4 bits still rank far better than chance
            hits = np.mean([len(set(a) & set(b)) / k for a, b in zip(ids, all_ids[:, :k], strict=True)])
            assert k == 1 or hits > 3 * k / 200 or k == 200


@pytest.mark.parametrize("kind", EXACT)
@every_metric
def test_ties_go_by_id_however_many(kind, metric, tmp_path):
    """150 copies of one vector: engines alone return them in the order of their heaps and blocks."""
    rng = np.random.default_rng(0)
    keys = np.repeat(rng.normal(size=(2, 48)), [150, 50], axis=0).astype(np.float32)
    ids = rng.permutation(200)
    index = filled(kind, tmp_path / "index", keys, ids, metric)
    for queries in (1, 12):
        found, _ = index.search(keys[:queries], 10)
        np.testing.assert_array_equal(found, np.tile(np.sort(ids[:150])[:10], (queries, 1)))
    own = [np.sort(ids[:150])[i : i + 5] for i in range(6)]
    found, _ = index.search(keys[:6], 10, exclude=own)
    for row, barred in zip(found, own, strict=True):
        np.testing.assert_array_equal(row, np.setdiff1d(ids[:150], barred)[:10])


@every_kind
def test_ties_among_what_is_found_go_by_id(kind, tmp_path):
    keys = np.repeat(KEYS[:40], 5, axis=0)
    ids, scores = filled(kind, tmp_path / "index", keys, IDS).search(QUERIES, 25)
    assert is_sorted(ids, scores) and len(np.unique(scores[0])) < 25


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.rescored])
def test_the_size_of_a_batch_changes_nothing(kind, standard):
    index = standard(kind)
    together = index.search(QUERIES, 20)
    for i in (0, 17, 29):
        for whole, part in zip(together, index.search(QUERIES[i : i + 1], 20), strict=True):
            np.testing.assert_array_equal(part[0], whole[i])


@every_kind
def test_k_beyond_the_index_zero_and_no_query(kind, standard):
    index = standard(kind)
    ids, scores = index.search(QUERIES[:3], 5000)
    assert ids.shape == scores.shape == (3, 200)
    np.testing.assert_array_equal(np.sort(ids, axis=1), np.tile(np.sort(IDS), (3, 1)))
    assert index.search(QUERIES[:3], 0)[0].shape == (3, 0)
    assert index.search(QUERIES[:0], 4)[0].shape == (0, 4)
    with pytest.raises(ValueError, match="k must be"):
        index.search(QUERIES, -1)


@every_kind
def test_an_empty_index_finds_nothing_and_cannot_be_saved(kind, tmp_path):
    index = make(kind)
    assert len(index) == 0 and index.dim is None
    assert index.search(QUERIES[:3], 4)[0].shape == (3, 0)
    with pytest.raises(ValueError, match="without keys"):
        index.save(tmp_path / "index")
    assert list(tmp_path.iterdir()) == []


@every_kind
@every_metric
def test_exclusion_returns_the_next_best(kind, metric, standard):
    index = standard(kind, metric)
    everything, _ = index.search(QUERIES[:4], 200)

    def without(row, barred, k):
        return [i for i in everything[row] if i not in set(barred.tolist())][:k]

    shared = everything[:, :20].ravel()
    found, _ = index.search(QUERIES[:4], 15, exclude=shared)
    own = [everything[0, :3], everything[1, :0], everything[2, 1:40], np.array([10**6, 10**7])]
    each, _ = index.search(QUERIES[:4], 15, exclude=own)
    assert found.shape == each.shape == (4, 15)
    for row in range(4):
        assert not np.isin(found[row], shared).any() and not np.isin(each[row], own[row]).any()
        if KINDS[kind].complete:
            np.testing.assert_array_equal(found[row], without(row, shared, 15))
            np.testing.assert_array_equal(each[row], without(row, own[row], 15))


@every_kind
def test_exclusion_of_nearly_all(kind, standard):
    index = standard(kind)
    assert index.search(QUERIES[:1], 9, exclude=IDS)[0].shape == (1, 0)
    # the width is what the poorest query has
    ids, scores = index.search(QUERIES[:3], 9, exclude=[IDS[:3], IDS[4:], IDS[:0]])
    assert ids.shape == scores.shape == (3, 4)
    np.testing.assert_array_equal(np.sort(ids[1]), np.sort(IDS[:4]))
    np.testing.assert_array_equal(ids[2], index.search(QUERIES[2:3], 4)[0][0])
    with pytest.raises(ValueError, match="3 queries need as many lists"):
        index.search(QUERIES[:3], 9, exclude=[IDS[:3], IDS[:2]])


@every_class
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused_by_name(kind, bad, standard):
    keys = KEYS.copy()
    keys[7, 3] = bad
    index = make(kind)
    with pytest.raises(ValueError, match="gallery photo 107 holds NaN"):
        index.add(np.arange(100, 300), keys)
    assert len(index) == 0
    with pytest.raises(ValueError, match="query 2 holds NaN"):
        standard(kind).search(keys[5:9], 3)


def test_training_refuses_them_too():
    keys = KEYS.copy()
    keys[7, 3] = np.nan
    with pytest.raises(ValueError, match="training photo 7 holds NaN"):
        make("ivf").train(keys)


@every_class
def test_zero_vectors_have_no_cosine_but_a_distance(kind, tmp_path):
    keys = KEYS.copy()
    keys[4] = 0
    with pytest.raises(ValueError, match="gallery photo 4 is all zero"):
        make(kind).add(np.arange(200), keys)
    index = filled(kind, tmp_path / "index", keys, np.arange(200), "l2")
    ids, scores = index.search(keys[4:5], 1)
    assert ids.tolist() == [[4]] and scores.tolist() == [[0]]


@every_class
def test_tiny_and_huge_keys(kind, tmp_path):
    tiny = KEYS * np.float32(1e-12)
    index = filled(kind, tmp_path / "a", tiny, IDS, "inner_product")
    expected, _ = brute_force(tiny, IDS, QUERIES, "inner_product")
    np.testing.assert_array_equal(index.search(QUERIES, 9)[0], expected[:, :9])
    with pytest.raises(ValueError, match="gallery photo 0 is so long that distances overflow"):
        make(kind, "l2").add(IDS[:1] * 0, KEYS[:1] * np.float32(1e25))
    assert filled(kind, tmp_path / "b", KEYS * np.float32(1e25), IDS).search(QUERIES, 2)[0].shape == (30, 2)


@every_class
def test_another_length_or_type_is_refused(kind, standard):
    index = standard(kind)
    with pytest.raises(ValueError, match="length 15, but the index holds keys of length 16"):
        index.search(KEYS[:, :15], 1)
    with pytest.raises(ValueError, match="another encoder"):
        index.add(np.array([5000]), np.ones((1, 17), np.float32))
    with pytest.raises(ValueError, match="float array"):
        index.search(np.ones((1, 16), np.int64), 1)
    with pytest.raises(ValueError, match="float array"):
        make(kind).add(np.arange(3), np.ones((3, 0), np.float32))


@every_class
@pytest.mark.parametrize("ids", [[0, 1, 1], [0, -1, 2], [0, 1]])
def test_bad_ids_are_refused(kind, ids):
    index = make(kind)
    with pytest.raises(ValueError, match="ids"):
        index.add(np.array(ids), KEYS[:3])
    index.add(np.array([7, 3]), KEYS[:2])
    for again in (3, 7):
        with pytest.raises(ValueError, match="once only"):
            index.add(np.array([5, again]), KEYS[:2])
    assert len(index) == 2


@pytest.mark.parametrize("name", ["FaissIndex", "MilvusIndex", "ElasticsearchIndex"])
def test_an_unknown_metric_is_refused(name):
    from procrop.registry import INDEXES

    with pytest.raises(ValueError, match="hamming.*cosine"):
        INDEXES.build(dict(type=name, metric="hamming"))


@every_kind
@every_metric
def test_open_finds_the_same(kind, metric, standard):
    index = standard(kind, metric)
    path = standard.path(kind, metric)
    again = type(index).open(path)
    assert (again.metric, len(again), again.dim, again.settings) == (metric, 200, 16, index.settings)
    for a, b in zip(again.search(QUERIES, 5), index.search(QUERIES, 5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(p.name.startswith("index") for p in path.parent.iterdir())


@every_kind
def test_equal_content_gives_equal_bytes(kind, standard, tmp_path):
    """However it is cut into chunks, where a chunk cannot show (HNSW links what it has)."""
    step = 200 if kind in ("hnsw", "hnsw-sq") else 64
    index, path = standard(kind), tmp_path / "index"
    # a search must leave no trace in what is saved
    index.search(QUERIES, 3)
    index.save(standard.path(kind))
    other = make(kind)
    other.train(KEYS)
    for start in range(0, 200, step):
        part = slice(start, start + step)
        other.add(IDS[part], KEYS[part])
    other.save(path)
    assert path.read_bytes() == standard.path(kind).read_bytes()
    for a, b in zip(index.search(QUERIES, 5), other.search(QUERIES, 5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_graph_built_in_chunks_finds_what_there_is(standard):
    index = make("hnsw")
    for start in range(0, 200, 64):
        index.add(IDS[start : start + 64], KEYS[start : start + 64])
    np.testing.assert_array_equal(index.search(QUERIES, 9)[0], standard("hnsw").search(QUERIES, 9)[0])


@every_class
def test_damage_is_found(kind, tmp_path):
    path = tmp_path / "index"
    index = filled(kind, path, KEYS, IDS)
    index.save(path)
    data = path.read_bytes()
    for position in (5, 40, 60, 200, len(data) // 2, -3):
        flipped = bytearray(data)
        flipped[position] ^= 4
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match="index.*build"):
            type(index).open(path)
    for content in (data[: len(data) // 2], data[:10], b"", b"something else entirely"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="index.*build"):
            type(index).open(path)
    path.unlink()
    with pytest.raises(ValueError, match="index: cannot be read.*build"):
        type(index).open(path)


@every_class
def test_another_version_and_another_class_are_refused(kind, tmp_path):
    path = tmp_path / "index"
    index = filled(kind, path, KEYS, IDS)
    index.save(path)
    data = path.read_bytes()
    number = 2 if kind == "flat" else 1
    path.write_bytes(data.replace(b'"version": %d' % number, b'"version": 0'))
    with pytest.raises(ValueError, match="version 0.*build the gallery again"):
        type(index).open(path)
    path.write_bytes(data)
    others = {type(make(name)) for name in CLASSES} - {type(index)}
    for other in others:
        with pytest.raises(ValueError, match="wrong magic bytes"):
            other.open(path)


@contextmanager
def no_file_beyond(size):
    """While files may not grow beyond ``size`` bytes, which stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["flat", "hnsw", "milvus"])
def test_a_full_disk_is_an_error_and_keeps_the_old_file(kind, tmp_path):
    path = tmp_path / "index"
    path.write_bytes(b"old")
    keys = np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)
    index = make(kind)
    index.add(np.arange(4000), keys)
    with no_file_beyond(30_000), pytest.raises(OSError) as caught:
        index.save(path)
    assert caught.value.errno == errno.EFBIG or "room" in str(caught.value)
    assert path.read_bytes() == b"old" and not list(tmp_path.glob("*.tmp"))
    index.save(path)
    np.testing.assert_array_equal(type(index).open(path).search(keys[:5], 1)[0], np.arange(5)[:, None])
