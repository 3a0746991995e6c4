"""What is Milvus's own: the embedded database beside the file, and a server by its address."""

import fcntl
import json

import numpy as np
import pytest

from procrop.retrieval.indexes import FaissIndex, IndexServerError, MilvusIndex

pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")

KEYS = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


def saved(path, keys=KEYS, **config):
    index = MilvusIndex(**config)
    index.add(np.arange(len(keys)), keys)
    index.save(path)
    return index


def header_of(path):
    return json.loads(path.read_bytes().split(b"\n")[1])


def exact(queries, k, keys=KEYS):
    index = FaissIndex()
    index.add(np.arange(len(keys)), keys)
    return index.search(queries, k)


def test_before_saving_the_keys_are_searched_here():
    index = MilvusIndex()
    index.add(np.arange(20), KEYS[:20])
    index.add(np.arange(20, 50), KEYS[20:])
    for a, b in zip(index.search(KEYS[:5], 7), exact(KEYS[:5], 7), strict=True):
        np.testing.assert_array_equal(a, b)


def test_once_saved_nothing_is_added_and_an_opened_one_is_not_saved_elsewhere(tmp_path):
    index = saved(tmp_path / "index")
    with pytest.raises(ValueError, match="saved already, nothing can be added"):
        index.add(np.array([99]), KEYS[:1])
    with pytest.raises(ValueError, match="copy its files"):
        MilvusIndex.open(tmp_path / "index").save(tmp_path / "other")


def test_saving_again_sends_nothing(tmp_path, monkeypatch):
    saved(tmp_path / "index").close()
    monkeypatch.setattr(MilvusIndex, "_send", lambda *args: pytest.fail("sent again"))
    index = saved(tmp_path / "index")
    np.testing.assert_array_equal(index.search(KEYS[:5], 3)[0], exact(KEYS[:5], 3)[0])


def test_half_sent_keys_are_dropped_and_sent_again(tmp_path, monkeypatch):
    path = tmp_path / "index"

    def cut(spool, batches=MilvusIndex._batches):
        ids, keys = next(batches(spool))
        yield ids[:7], keys[:7]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MilvusIndex, "_batches", staticmethod(cut))
        with pytest.raises(KeyboardInterrupt):
            saved(path)
    assert not path.exists()
    index = saved(path)
    assert len(MilvusIndex.open(path)) == 50
    assert index._call("list_collections") == [header_of(path)["name"]]


def test_a_foreign_collection_of_that_name_is_refused(tmp_path):
    path = tmp_path / "index"
    index = saved(path)
    name = header_of(path)["name"]
    index._call("drop_collection", collection_name=name)
    index._call("create_collection", collection_name=name, dimension=3)
    with pytest.raises(ValueError, match=f"{name}.*other fields.*build the gallery again"):
        MilvusIndex.open(path)
    with pytest.raises(ValueError, match=f"{name} on the server is not what this build.*remove it"):
        saved(path)


def test_lost_keys_are_noticed(tmp_path):
    index = saved(tmp_path / "index")
    index._call("delete", collection_name=index._saved["name"], ids=[3, 4])
    with pytest.raises(ValueError, match="48 keys, not 50"):
        MilvusIndex.open(tmp_path / "index")
    index._call("drop_collection", collection_name=index._saved["name"])
    with pytest.raises(ValueError, match="absent.*build the gallery again"):
        MilvusIndex.open(tmp_path / "index")


def test_a_rebuild_leaves_nothing_of_the_earlier_build(tmp_path):
    saved(tmp_path / "index").close()
    index = saved(tmp_path / "index", KEYS[:30])
    assert index._call("list_collections") == [header_of(tmp_path / "index")["name"]]
    assert len(MilvusIndex.open(tmp_path / "index")) == 30


def test_files_can_be_moved_together(tmp_path):
    saved(tmp_path / "a" / "index").close()
    (tmp_path / "a").rename(tmp_path / "b")
    found = MilvusIndex.open(tmp_path / "b" / "index").search(KEYS[:5], 3)
    np.testing.assert_array_equal(found[0], exact(KEYS[:5], 3)[0])


def test_a_missing_database_is_not_made_anew(tmp_path):
    saved(tmp_path / "a" / "index").close()
    pointer = (tmp_path / "a" / "index").read_bytes()
    (tmp_path / "index").write_bytes(pointer)
    with pytest.raises(ValueError, match="index.milvus.db: missing; build the gallery again"):
        MilvusIndex.open(tmp_path / "index")
    assert [p.name for p in tmp_path.iterdir() if p.name != "a"] == ["index"]


def test_a_database_that_another_process_has_open_is_an_error_with_a_remedy(tmp_path):
    saved(tmp_path / "index").close()
    # locks of two open files exclude each other within one process too
    with open(tmp_path / "index.milvus.db" / "LOCK") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(IndexServerError, match="index.milvus.db.*another process.*give its uri"):
            MilvusIndex.open(tmp_path / "index")


def test_two_open_indexes_share_the_embedded_server(tmp_path):
    first = saved(tmp_path / "index")
    second = MilvusIndex.open(tmp_path / "index")
    first.close()
    assert second.search(KEYS[:5], 3)[0].shape == (5, 3)
    with pytest.raises(IndexServerError, match="was closed"):
        first.search(KEYS[:5], 3)


def test_a_forked_process_is_told_to_open_its_own(tmp_path, monkeypatch):
    index = saved(tmp_path / "index")
    monkeypatch.setattr(index, "_pid", -1)
    with pytest.raises(IndexServerError, match="before this process was forked"):
        index.search(KEYS[:5], 3)


def test_an_index_type_that_is_not_there(tmp_path):
    with pytest.raises(IndexServerError, match="create index.*index type SPIRAL"):
        saved(tmp_path / "index", index_type="SPIRAL")
    assert not (tmp_path / "index").exists()


def test_a_server_by_its_address(tmp_path, monkeypatch):
    """The same code against a server that other processes could reach too."""
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    monkeypatch.setenv("MILVUS_TOKEN", "secret:word")
    server, database, port = start_server_in_thread(str(tmp_path / "server.db"))
    try:
        config = dict(metric="cosine", uri=f"http://127.0.0.1:{port}")
        index = saved(tmp_path / "index", **config)
        other = saved(tmp_path / "other", KEYS[:20], **config)
        assert len(index._call("list_collections")) == 2
        found = MilvusIndex.open(tmp_path / "index").search(KEYS[:5], 3)
        np.testing.assert_array_equal(found[0], exact(KEYS[:5], 3)[0])
        assert b"secret" not in (tmp_path / "index").read_bytes()
        assert not (tmp_path / "index.milvus.db").exists()
        index.close(), other.close()
    finally:
        server.stop(grace=0)
        database.close()


def test_credentials_in_the_address_are_refused():
    with pytest.raises(ValueError, match="MILVUS_TOKEN"):
        MilvusIndex(uri="http://root:Milvus@milvus:19530")


def change_a_key(index):
    """What a damaged disk or another program could do: the same ids, one key other than it was."""
    name = index._saved["name"]
    index._call("delete", collection_name=name, ids=[7])
    index._call("insert", collection_name=name, data=[{"id": 7, "key": KEYS[8]}])
    index._call("flush", collection_name=name)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_changed_keys_are_found_and_sent_again(tmp_path, metric):
    index = saved(tmp_path / "index", metric=metric)
    assert index.verify() == [] and MilvusIndex.open(tmp_path / "index").verify() == []
    change_a_key(index)
    again = MilvusIndex.open(tmp_path / "index")
    (problem,) = again.verify()
    assert "index.milvus.db: procrop_" in problem and "keys have changed" in problem
    assert "build the gallery again" in problem
    again.close(), index.close()
    assert saved(tmp_path / "index", metric=metric).verify() == []


def test_keys_under_ids_with_gaps_are_not_called_damaged(tmp_path):
    index = MilvusIndex()
    index.add(np.arange(50) * 3, KEYS)
    index.save(tmp_path / "index")
    assert index.verify() == [] and header_of(tmp_path / "index")["consecutive"] is False


def test_damaged_files_are_found(tmp_path):
    saved(tmp_path / "index").close()
    (data,) = (tmp_path / "index.milvus.db").rglob("*.parquet")
    content = data.read_bytes()
    data.write_bytes(content[:400] + bytes(400) + content[800:])
    try:
        problems = MilvusIndex.open(tmp_path / "index").verify()
    except IndexServerError as error:
        problems = [str(error)]
    assert len(problems) == 1 and "index.milvus.db" in problems[0]


def test_the_estimate_of_its_size_fits(tmp_path):
    from procrop.retrieval.index_cost import index_bytes

    keys = np.random.default_rng(0).normal(size=(500, 128)).astype(np.float32)
    saved(tmp_path / "index", keys).close()
    size = sum(path.stat().st_size for path in (tmp_path / "index.milvus.db").rglob("*"))
    each, once = index_bytes(dict(type="MilvusIndex"), 128)
    assert 0.9 < (500 * each + once) / size < 1.3
