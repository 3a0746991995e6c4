"""Search with Elasticsearch, the engine that the paper names."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from procrop.registry import INDEXES

from .server_index import IndexServerError, ServerIndex, check_uri, with_retry

URL_VARIABLE, KEY_VARIABLE, CA_VARIABLE = (
    "ELASTICSEARCH_URL",
    "ELASTICSEARCH_API_KEY",
    "ELASTICSEARCH_CA_CERTS",
)
MOST_DIMS = 4096
_ID, _KEY = "id", "key"
# answers of a server that is busy, not broken
_PASSING = (429, 502, 503, 504)
_BULK_BYTES = 10 << 20
# metric -> the similarity of the mapping; keys are of unit length under the cosine
_SIMILARITY = {"cosine": "dot_product", "inner_product": "max_inner_product", "l2": "l2_norm"}
# scripts may not return negative scores, and scores are float32: both are brought to about 0 to 2
_INNER_PRODUCT = f"Math.max(0.0, 1.0 + dotProduct(params.query, '{_KEY}') / params.scale)"
_L2 = f"double d = l2norm(params.query, '{_KEY}'); return 1.0 / (1.0 + d * d / params.scale);"


def _import_elasticsearch():  # noqa: ANN202 (a module)
    try:
        import elasticsearch
    except ImportError as error:
        raise ImportError("ElasticsearchIndex needs its client: pip install elasticsearch") from error
    return elasticsearch


@INDEXES.register_module()
class ElasticsearchIndex(ServerIndex):
    """Nearest neighbours by Elasticsearch (``dense_vector``).

    ``exact`` compares with every key by a script; the candidates are scored again in float64, so ids and scores are
    exact and ties go by id. Otherwise the approximate kNN search is used, and scores are Elasticsearch's, brought
    back to our units. Both search the same index, which carries a hash of its content in its name.

    The address is ``uri`` or the environment variable ELASTICSEARCH_URL; the API key and a CA certificate come from
    ELASTICSEARCH_API_KEY and ELASTICSEARCH_CA_CERTS only and are written nowhere. Requests that a busy server turns
    down are repeated, each time after twice the wait.

    Args:
        metric: ``"cosine"``, ``"inner_product"`` or ``"l2"``.
        uri: Address of the server; None takes ELASTICSEARCH_URL wherever the index is used.
        exact: Whether to compare with every key.
        num_candidates: Keys that kNN looks at per shard, at most 10,000; at least as many as are wanted are taken.
        index_options: How kNN's graph is built, e.g. ``dict(type="int8_hnsw", m=32)``; None takes plain HNSW.
        shards: Number of primary shards.
        replicas: Copies of each shard.

    Raises:
        ValueError: Unknown metric, a number out of range, or credentials in ``uri``.
        ImportError: The client is missing.
    """

    magic = b"procrop elasticsearch pointer\n"
    limit = 10_000
    search_settings = ("uri", "exact", "num_candidates")
    first_wait = 0.5

    def __init__(
        self,
        metric: str = "cosine",
        uri: str | None = None,
        exact: bool = True,
        num_candidates: int = 200,
        index_options: dict[str, Any] | None = None,
        shards: int = 1,
        replicas: int = 0,
    ) -> None:
        check_uri(uri, KEY_VARIABLE)
        if not 1 <= num_candidates <= self.limit:
            raise ValueError(f"num_candidates must be 1 to {self.limit}, not {num_candidates}")
        if shards < 1 or replicas < 0:
            raise ValueError(
                f"shards must be at least 1 and replicas at least 0, not {shards} and {replicas}"
            )
        settings = dict(
            uri=uri,
            exact=bool(exact),
            num_candidates=num_candidates,
            index_options=dict(index_options or {"type": "hnsw"}),
            shards=shards,
            replicas=replicas,
        )
        super().__init__(metric, settings)
        self._elastic = _import_elasticsearch()
        self._client: Any = None
        self._where = uri or ""

    @property
    def is_exact(self) -> bool:
        return self.settings["exact"]

    def _insert(self, ids: np.ndarray, keys: np.ndarray) -> None:
        if keys.shape[1] > MOST_DIMS:
            raise ValueError(
                f"Elasticsearch holds keys of at most {MOST_DIMS} numbers, not {keys.shape[1]}; shorten them with "
                f"key_transform=dict(type='PCA', dim=...), or take another index"
            )
        super()._insert(ids, keys)

    def _connect(self, path: Path, fresh: bool) -> None:
        self._where = self.settings["uri"] or os.environ.get(URL_VARIABLE, "")
        if not self._where:
            raise IndexServerError(f"{path}: no server named; set uri of the index or {URL_VARIABLE}")
        check_uri(self._where, KEY_VARIABLE)
        options = {"api_key": os.environ.get(KEY_VARIABLE), "ca_certs": os.environ.get(CA_VARIABLE)}
        # retries are made here, with waits between them
        self._client = self._elastic.Elasticsearch(
            self._where,
            request_timeout=120,
            max_retries=0,
            **{name: value for name, value in options.items() if value},
        )

    def _passing(self, error: Exception) -> bool:
        if isinstance(error, self._elastic.ApiError):
            return error.status_code in _PASSING
        return isinstance(error, self._elastic.ConnectionError | _BusyError)

    def _call(self, call: Any, **arguments: Any) -> Any:
        """Call the client, again while the server is busy; errors name the server."""
        try:
            return with_retry(lambda: call(**arguments), self._passing, self.first_wait)
        except self._elastic.NotFoundError:
            raise
        except (self._elastic.ApiError, self._elastic.TransportError, _BusyError) as error:
            raise IndexServerError(
                f"{self._where}: Elasticsearch does not do as asked ({error}); see that it runs, that "
                f"{KEY_VARIABLE} fits, and that the client is not newer than the server"
            ) from error

    def _state(self, header: dict[str, Any]) -> str | None:
        name = header["name"]
        try:
            found = self._call(self._client.indices.get, index=name)[name]["mappings"]
        except self._elastic.NotFoundError:
            return "absent"
        meta = found.get("_meta", {}).get("procrop", {})
        if meta.get("content_sha256") != header["content_sha256"]:
            return "an index of something else"
        if not meta["complete"]:
            return "absent"
        rows = self._call(self._client.count, index=name)["count"]
        return None if rows == header["count"] else f"{rows} keys, not {header['count']}"

    def _drop(self, header: dict[str, Any]) -> None:
        self._call(self._client.options(ignore_status=404).indices.delete, index=header["name"])

    def _send(self, header: dict[str, Any], batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        name, indices = header["name"], self._client.indices
        meta = {key: header[key] for key in ("content_sha256", "count", "dim", "metric")}
        key_field = {
            "type": "dense_vector",
            "dims": header["dim"],
            "index": True,
            "similarity": _SIMILARITY[self.metric],
            "index_options": self.settings["index_options"],
        }
        mappings = {
            "_meta": {"procrop": {**meta, "complete": False}},
            "dynamic": "strict",
            "properties": {_ID: {"type": "long"}, _KEY: key_field},
        }
        settings = {
            "number_of_shards": self.settings["shards"],
            "number_of_replicas": self.settings["replicas"],
            # nothing changes once all is sent
            "refresh_interval": "-1",
        }
        self._call(indices.create, index=name, mappings=mappings, settings=settings)
        self._send_documents(name, batches)
        self._call(indices.refresh, index=name)
        self._call(indices.put_mapping, index=name, meta={"procrop": {**meta, "complete": True}})

    def _send_documents(self, name: str, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        from elasticsearch.helpers import streaming_bulk

        documents = (
            {"_index": name, "_id": str(i), _ID: int(i), _KEY: key.tolist()}
            for ids, keys in batches
            for i, key in zip(ids, keys, strict=True)
        )
        # a lost connection is tried again at once, a busy server after a wait, for the documents concerned
        client = self._client.options(max_retries=3, retry_on_status=(), retry_on_timeout=True)
        try:
            failed = next(
                streaming_bulk(
                    client,
                    documents,
                    max_chunk_bytes=_BULK_BYTES,
                    raise_on_error=False,
                    yield_ok=False,
                    max_retries=5,
                    initial_backoff=self.first_wait,
                    retry_on_status=_PASSING,
                ),
                None,
            )
        except (self._elastic.ApiError, self._elastic.TransportError) as error:
            raise self._not_taken(error) from error
        if failed:
            raise self._not_taken(failed[1]["index"]["error"])

    def _not_taken(self, reason: object) -> IndexServerError:
        return IndexServerError(
            f"{self._where}: Elasticsearch does not take the keys ({str(reason)[:300]}); is there room on its disk? "
            f"What was sent is dropped by the next build"
        )

    def _ask(
        self, queries: np.ndarray, wanted: int, barred: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray] | None, list[np.ndarray] | None]:
        searches = []
        for query in queries:
            make = self._script_search if self.is_exact else self._knn_search
            searches += [{"index": self._saved["name"]}, make(query, wanted, barred)]
        found = [answer["hits"]["hits"] for answer in self._call(self._search, searches=searches)]
        ids = [np.array([int(hit["_id"]) for hit in hits], np.int64) for hits in found]
        if self.is_exact:
            shape = (-1, queries.shape[1])
            keys = [
                np.array([hit["fields"][_KEY] for hit in hits], np.float32).reshape(shape) for hits in found
            ]
            return ids, None, keys
        return ids, [self._our_scores(np.array([hit["_score"] for hit in hits])) for hits in found], None

    def _stored(self, header: dict[str, Any], start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        body = {
            "query": {"ids": {"values": [str(i) for i in range(start, stop)]}},
            "size": stop - start,
            "_source": False,
            "fields": [_KEY],
        }
        (answer,) = self._call(self._search, searches=[{"index": header["name"]}, body])
        hits = answer["hits"]["hits"]
        ids = np.array([int(hit["_id"]) for hit in hits], np.int64)
        return ids, np.array([hit["fields"][_KEY] for hit in hits], np.float32).reshape(len(ids), -1)

    def _search(self, searches: list[dict]) -> list[dict]:
        """Answers of a multi-search; one that failed fails all of them."""
        answers = self._client.msearch(searches=searches)["responses"]
        for answer in answers:
            if answer.get("status") in _PASSING:
                raise _BusyError(answer["error"])
            if "error" in answer:
                raise IndexServerError(f"{self._where}: Elasticsearch cannot search: {answer['error']}")
        return answers

    def _script_search(self, query: np.ndarray, wanted: int, barred: np.ndarray) -> dict:
        """Compare with every key; the scale brings scores to where float32 is finest."""
        length, largest = float(np.linalg.norm(query.astype(np.float64))), self._saved["largest"]
        scale = (length + largest) ** 2 if self.metric == "l2" else length * largest
        script = {
            "source": _L2 if self.metric == "l2" else _INNER_PRODUCT,
            "params": {"query": query.tolist(), "scale": scale or 1.0},
        }
        return {
            "query": {"script_score": {"query": _all_but(barred), "script": script}},
            "size": wanted,
            "sort": [{"_score": "desc"}, {_ID: "asc"}],
            "_source": False,
            "fields": [_KEY],
        }

    def _knn_search(self, query: np.ndarray, wanted: int, barred: np.ndarray) -> dict:
        knn = {
            "field": _KEY,
            "query_vector": query.tolist(),
            "k": wanted,
            "num_candidates": max(wanted, self.settings["num_candidates"]),
        }
        if len(barred):
            knn["filter"] = _all_but(barred)
        return {"knn": knn, "size": wanted, "_source": False}

    def _our_scores(self, scores: np.ndarray) -> np.ndarray:
        """Elasticsearch's kNN scores (c,) in our units, by the formulas of its documentation of similarities."""
        if self.metric == "cosine":
            return 2 * scores - 1
        if self.metric == "l2":
            return 1 - 1 / scores
        with np.errstate(divide="ignore"):
            return np.where(scores >= 1, scores - 1, 1 - 1 / scores)


class _BusyError(Exception):
    """One of several searches was turned down for now."""


def _all_but(barred: np.ndarray) -> dict:
    """The query that finds everything but some ids."""
    if not len(barred):
        return {"match_all": {}}
    return {"bool": {"must_not": {"ids": {"values": [str(i) for i in barred]}}}}
