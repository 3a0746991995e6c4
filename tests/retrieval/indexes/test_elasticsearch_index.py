"""What goes over the wire to Elasticsearch, and what is made of its answers."""

import json

import numpy as np
import pytest
from fake_elasticsearch import FakeElasticsearch, similarity

from procrop.retrieval.indexes import ElasticsearchIndex, IndexServerError

KEYS = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)


@pytest.fixture
def server(monkeypatch):
    with FakeElasticsearch() as fake:
        monkeypatch.setattr(ElasticsearchIndex, "first_wait", 0.001)
        monkeypatch.setenv("ELASTICSEARCH_URL", fake.url)
        yield fake


def saved(path, keys=KEYS, **config):
    index = ElasticsearchIndex(**config)
    index.add(np.arange(len(keys)) * 3, keys)
    index.save(path)
    return index


def name_of(path):
    return json.loads(path.read_bytes().split(b"\n")[1])["name"]


@pytest.mark.parametrize(
    ("metric", "said"),
    [("cosine", "dot_product"), ("inner_product", "max_inner_product"), ("l2", "l2_norm")],
)
def test_mapping_and_documents(server, tmp_path, metric, said):
    saved(tmp_path / "index", metric=metric, shards=2, replicas=1, index_options=dict(type="int8_hnsw", m=24))
    name = name_of(tmp_path / "index")
    (created,) = server.made(f"PUT /{name}")
    assert created["mappings"]["properties"]["key"] == {
        "type": "dense_vector",
        "dims": 8,
        "index": True,
        "similarity": said,
        "index_options": {"type": "int8_hnsw", "m": 24},
    }
    assert created["mappings"]["dynamic"] == "strict"
    assert created["settings"]["number_of_shards"] == 2 and created["settings"]["number_of_replicas"] == 1
    meta = created["mappings"]["_meta"]["procrop"]
    assert meta["complete"] is False and name == f"procrop_{meta['content_sha256'][:40]}"
    (lines,) = server.made("PUT /_bulk")
    assert lines[0] == {"index": {"_index": name, "_id": "0"}} and lines[98]["index"]["_id"] == "147"
    own = KEYS / np.linalg.norm(KEYS, axis=1, keepdims=True) if metric == "cosine" else KEYS
    np.testing.assert_allclose(lines[99]["key"], own[49], rtol=1e-6)
    assert lines[99]["id"] == 147
    # refreshed before it is called complete
    paths = [f"{method} {path}" for method, path, _, _ in server.requests]
    assert paths.index(f"POST /{name}/_refresh") < paths.index(f"PUT /{name}/_mapping")
    assert server.made(f"PUT /{name}/_mapping")[0]["_meta"]["procrop"]["complete"] is True


def test_many_keys_go_in_several_requests(server, tmp_path, monkeypatch):
    monkeypatch.setattr("procrop.retrieval.indexes.elasticsearch_index._BULK_BYTES", 4000)
    saved(tmp_path / "index")
    parts = server.made("PUT /_bulk")
    assert len(parts) > 2 and sum(map(len, parts)) == 100


def test_exact_search_on_the_wire(server, tmp_path):
    index = saved(tmp_path / "index", metric="inner_product")
    index.search(KEYS[:2], 3, exclude=[np.array([0]), np.array([3, 6])])
    ((header, body, *_),) = server.made("POST /_msearch")
    assert header == {"index": name_of(tmp_path / "index")}
    script = body["query"]["script_score"]["script"]
    assert "dotProduct(params.query, 'key')" in script["source"]
    np.testing.assert_array_equal(np.float32(script["params"]["query"]), KEYS[0])
    # two excluded ids at most, three wanted, and a margin for ties
    assert body["query"]["script_score"]["query"] == {"match_all": {}} and body["size"] == 13


def test_many_exclusions_are_left_to_the_server(server, tmp_path):
    keys = np.random.default_rng(1).normal(size=(400, 8)).astype(np.float32)
    index = saved(tmp_path / "index", keys)
    barred = np.arange(300) * 3
    found = index.search(keys[:2], 3, exclude=barred)[0]
    assert not np.isin(found, barred).any()
    body = server.made("POST /_msearch")[-1][1]
    must_not = body["query"]["script_score"]["query"]["bool"]["must_not"]
    assert must_not == {"ids": {"values": [str(i) for i in barred]}} and body["size"] == 11
    own = [barred, barred[:2]]
    each = index.search(keys[:2], 3, exclude=own)[0]
    np.testing.assert_array_equal(each[0], found[0])
    assert each[1, 0] == 3 * 2 or each[1, 0] not in own[1]


def test_knn_search_on_the_wire(server, tmp_path):
    index = saved(tmp_path / "index", exact=False, num_candidates=33)
    index.search(KEYS[:1], 4)
    index.search(KEYS[:1], 40)
    first, second = (body[1] for body in server.made("POST /_msearch"))
    assert set(first) == {"knn", "size", "_source"} and first["size"] == 4
    assert first["knn"]["field"] == "key" and (first["knn"]["k"], first["knn"]["num_candidates"]) == (4, 33)
    assert (second["knn"]["k"], second["knn"]["num_candidates"]) == (40, 40)


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
def test_scores_of_knn_come_back_in_our_units(metric):
    keys = KEYS / np.linalg.norm(KEYS, axis=1, keepdims=True) if metric == "cosine" else KEYS
    said = similarity(
        {"cosine": "dot_product", "inner_product": "max_inner_product", "l2": "l2_norm"}[metric],
        keys,
        keys[3],
    )
    true = -((keys - keys[3]) ** 2).sum(1) if metric == "l2" else keys @ keys[3]
    np.testing.assert_allclose(ElasticsearchIndex(metric)._our_scores(said), true, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("request_", ["PUT /_bulk", "POST /_msearch", "PUT /procrop.*", "GET /procrop.*"])
def test_a_busy_server_is_asked_again(server, tmp_path, status, request_):
    server.failures.append((request_, status))
    found, _ = saved(tmp_path / "index").search(KEYS[:3], 1)
    assert found.ravel().tolist() == [0, 3, 6] and not server.failures


def test_documents_that_are_turned_down_are_sent_again(server, tmp_path):
    server.busy_documents = 7
    index = saved(tmp_path / "index")
    first, second = server.made("PUT /_bulk")
    assert (len(first), len(second)) == (100, 14)
    assert len(server.indices[name_of(tmp_path / "index")]["visible"]) == len(index) == 50


def test_a_server_that_stays_busy_is_an_error_that_names_it(server, tmp_path):
    server.failures.extend([("PUT /_bulk", 429)] * 20)
    with pytest.raises(
        IndexServerError, match=f"{server.url}.*does not take the keys.*dropped by the next build"
    ):
        saved(tmp_path / "index")
    assert not (tmp_path / "index").exists()
    # what was sent half is dropped, not completed
    server.failures.clear()
    saved(tmp_path / "index")
    assert server.made("DELETE /procrop.*") and len(server.made("PUT /procrop_[0-9a-f]*")) == 2


def test_a_refusal_is_not_repeated(server, tmp_path):
    server.failures.append(("PUT /procrop.*", 403))
    with pytest.raises(IndexServerError, match="403.*ELASTICSEARCH_API_KEY"):
        saved(tmp_path / "index")


def test_a_server_that_is_down(server, tmp_path, monkeypatch):
    index = saved(tmp_path / "index")
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://127.0.0.1:9")
    with pytest.raises(IndexServerError, match="http://127.0.0.1:9.*see that it runs"):
        ElasticsearchIndex.open(tmp_path / "index")
    monkeypatch.delenv("ELASTICSEARCH_URL")
    with pytest.raises(IndexServerError, match="no server named; set uri of the index or ELASTICSEARCH_URL"):
        ElasticsearchIndex.open(tmp_path / "index")
    assert len(index) == 50


def test_saving_again_sends_nothing(server, tmp_path):
    saved(tmp_path / "a")
    saved(tmp_path / "b")
    assert len(server.made("PUT /_bulk")) == 1
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    # the same keys serve both kinds of search
    approximate = saved(tmp_path / "c", exact=False)
    assert len(server.made("PUT /_bulk")) == 1 and approximate.search(KEYS[:1], 1)[0].tolist() == [[0]]
    saved(tmp_path / "d", index_options=dict(type="int8_hnsw"))
    assert len(server.made("PUT /_bulk")) == 2


def test_a_foreign_or_lost_index_is_refused(server, tmp_path):
    saved(tmp_path / "index")
    name = name_of(tmp_path / "index")
    del server.indices[name]["visible"][0]
    with pytest.raises(ValueError, match=f"{name} on the server: 49 keys, not 50; build the gallery again"):
        ElasticsearchIndex.open(tmp_path / "index")
    server.indices[name]["mappings"]["_meta"] = {"team": "search"}
    with pytest.raises(ValueError, match="something else"):
        ElasticsearchIndex.open(tmp_path / "index")
    with pytest.raises(ValueError, match="not what this build would put there.*remove it there"):
        saved(tmp_path / "index")
    assert name in server.indices
    del server.indices[name]
    with pytest.raises(ValueError, match="absent; build the gallery again"):
        ElasticsearchIndex.open(tmp_path / "index")


def test_the_api_key_goes_to_the_server_and_nowhere_else(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ELASTICSEARCH_API_KEY", "c2VjcmV0")
    saved(tmp_path / "index")
    assert {headers["authorization"] for *_, headers in server.requests} == {"ApiKey c2VjcmV0"}
    assert b"c2VjcmV0" not in (tmp_path / "index").read_bytes()
    with pytest.raises(ValueError, match="ELASTICSEARCH_API_KEY"):
        ElasticsearchIndex(uri="https://elastic:changeme@host:9200")


def test_long_keys_are_refused_before_anything_is_sent():
    with pytest.raises(ValueError, match="at most 4096 numbers, not 4097.*PCA"):
        ElasticsearchIndex().add(np.arange(2), np.ones((2, 4097), np.float32))


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="num_candidates must be 1 to 10000"):
        ElasticsearchIndex(num_candidates=10_001)
    with pytest.raises(ValueError, match="shards"):
        ElasticsearchIndex(shards=0)


def test_more_than_the_server_returns_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(ElasticsearchIndex, "limit", 20)
    index = saved(tmp_path / "index", num_candidates=20)
    assert index.search(KEYS[:2], 20)[0].shape == (2, 20)
    with pytest.raises(ValueError, match="at most 20 neighbours"):
        index.search(KEYS[:2], 21)


def test_changed_keys_are_found(server, tmp_path):
    index = ElasticsearchIndex()
    index.add(np.arange(50), KEYS)
    index.save(tmp_path / "index")
    assert index.verify() == []
    stored = server.indices[name_of(tmp_path / "index")]["visible"]
    stored[3] = stored[4]
    (problem,) = ElasticsearchIndex.open(tmp_path / "index").verify()
    assert server.url in problem and "keys have changed" in problem and "remove it there" in problem
    stored[50] = stored.pop(3)
    (problem,) = ElasticsearchIndex.open(tmp_path / "index").verify()
    assert "are missing" in problem
