"""An HTTP server that answers like Elasticsearch for what `ElasticsearchIndex` asks, and refuses anything else.

It keeps documents in memory, shows them after a refresh only, computes every search exactly in float32 as the real
one scores, and can be told to be busy.
"""

import copy
import json
import re
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

SIMILARITIES = ("dot_product", "max_inner_product", "l2_norm")
SCRIPTS = {
    "Math.max(0.0, 1.0 + dotProduct(params.query, 'key') / params.scale)": lambda k, q, s: np.maximum(
        0, 1 + k @ q / s
    ),
    "double d = l2norm(params.query, 'key'); return 1.0 / (1.0 + d * d / params.scale);": lambda k, q, s: (
        1 / (1 + ((k - q) ** 2).sum(1) / s)
    ),
}


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, kind: str, reason: str = ""):
        super().__init__(f"{status} {kind} {reason}")
        cause = {"type": kind, "reason": reason}
        self.status, self.body = status, {"error": {**cause, "root_cause": [cause]}, "status": status}


def expect(condition, reason):
    if not condition:
        raise RefusedError(400, "illegal_argument_exception", reason)


class FakeElasticsearch:
    """The server; use as a context manager.

    Attributes:
        url: Its address.
        requests: (method, path, parsed body, headers) of all requests.
        failures: (pattern, status) that the next request whose "METHOD path" matches gets instead of an answer.
        busy_documents: Bulk items turned down with 429 from now on, that many.
    """

    def __init__(self):
        self.indices, self.requests = {}, []
        self.failures, self.busy_documents = deque(), 0
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def handle_any(self):
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with fake.lock:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    status, body = fake.answer(self.command, self.path, data, headers)
                text = b"" if self.command == "HEAD" else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Type", self.headers.get("Accept") or "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def made(self, pattern):
        """Bodies of the requests whose "METHOD path" matches."""
        return [body for method, path, body, _ in self.requests if re.fullmatch(pattern, f"{method} {path}")]

    def answer(self, method, path, data, headers):
        path = path.split("?")[0]
        try:
            body = self.parse(data, headers)
            self.requests.append((method, path, body, headers))
            if self.failures and re.fullmatch(self.failures[0][0], f"{method} {path}"):
                raise RefusedError(self.failures.popleft()[1], "told_to_fail")
            for pattern, respond in self.routes().items():
                match = re.fullmatch(pattern, f"{method} {path}")
                if match:
                    return 200, respond(*match.groups(), body)
            raise RefusedError(400, "no_such_route", f"{method} {path}")
        except RefusedError as refused:
            return refused.status, refused.body

    def parse(self, data, headers):
        if not data:
            return None
        kind = headers.get("content-type", "")
        if "x-ndjson" in kind:
            expect(data.endswith(b"\n"), "The bulk request must be terminated by a newline")
            return [json.loads(line) for line in data.splitlines()]
        expect("json" in kind, f"Content-Type {kind} is not supported")
        return json.loads(data)

    def routes(self):
        name = "/([a-z0-9][^/_]*_?[^/]*)"
        return {
            f"PUT {name}": self.create,
            f"GET {name}": self.describe,
            f"DELETE {name}": self.delete,
            f"PUT {name}/_mapping": self.put_mapping,
            f"POST {name}/_refresh": self.refresh,
            f"POST {name}/_count": lambda name, body: {"count": len(self.index(name)["visible"])},
            "PUT /_bulk": self.bulk,
            "POST /_msearch": self.multi_search,
        }

    def index(self, name):
        if name not in self.indices:
            raise RefusedError(404, "index_not_found_exception", name)
        return self.indices[name]

    def create(self, name, body):
        if name in self.indices:
            raise RefusedError(400, "resource_already_exists_exception", name)
        expect(name == name.lower() and len(name) <= 255, "invalid index name")
        expect(set(body) == {"mappings", "settings"}, f"unknown keys {sorted(body)}")
        mappings = body["mappings"]
        expect(set(mappings) == {"_meta", "dynamic", "properties"}, "unknown mapping parameters")
        expect(mappings["properties"]["id"] == {"type": "long"}, "id must be a long")
        field = mappings["properties"]["key"]
        expect(field["type"] == "dense_vector" and 1 <= field["dims"] <= 4096, "dims must be 1 to 4096")
        expect(field["similarity"] in SIMILARITIES and field["index"] is True, "unknown similarity")
        expect("type" in field["index_options"], "[index_options] requires field [type]")
        mappings = copy.deepcopy(mappings)
        self.indices[name] = {"mappings": mappings, "settings": body["settings"], "sent": {}, "visible": {}}
        return {"acknowledged": True, "shards_acknowledged": True, "index": name}

    def describe(self, name, body):
        return {name: {key: self.index(name)[key] for key in ("mappings", "settings")}}

    def delete(self, name, body):
        self.index(name)
        del self.indices[name]
        return {"acknowledged": True}

    def put_mapping(self, name, body):
        expect(set(body) == {"_meta"}, "only _meta may change")
        self.index(name)["mappings"]["_meta"] = body["_meta"]
        return {"acknowledged": True}

    def refresh(self, name, body):
        index = self.index(name)
        index["visible"].update(index["sent"])
        index["sent"] = {}
        return {"_shards": {"total": 1, "successful": 1, "failed": 0}}

    def bulk(self, lines):
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            expect(list(action) == ["index"], f"unknown action {action}")
            where = action["index"]
            error = self.store(where["_index"], where["_id"], document)
            status = 201 if error is None else error.status
            item = {**where, "status": status} | ({} if error is None else {"error": error.body["error"]})
            items.append({"index": item})
        return {"took": 1, "errors": any("error" in item["index"] for item in items), "items": items}

    def store(self, name, doc_id, document):
        if self.busy_documents:
            self.busy_documents -= 1
            return RefusedError(429, "es_rejected_execution_exception")
        try:
            index = self.index(name)
            field = index["mappings"]["properties"]["key"]
            expect(set(document) == {"id", "key"} and doc_id == str(document["id"]), "strict mapping")
            key = np.array(document["key"], np.float32)
            expect(key.shape == (field["dims"],) and np.isfinite(key).all(), "different number of dimensions")
            unit = abs(np.linalg.norm(key) - 1) < 1e-4
            expect(unit or field["similarity"] != "dot_product", "dot_product needs vectors of unit length")
            index["sent"][document["id"]] = key
            return None
        except RefusedError as refused:
            return refused

    def multi_search(self, lines):
        answers = []
        for header, body in zip(lines[::2], lines[1::2], strict=True):
            try:
                answers.append({**self.search(self.index(header["index"]), body), "status": 200})
            except RefusedError as refused:
                answers.append(refused.body)
        return {"took": 1, "responses": answers}

    def search(self, index, body):
        expect(body["size"] <= 10_000, "Result window is too large")
        expect(body["_source"] is False, "_source")
        ids = np.array(list(index["visible"]), np.int64)
        keys = np.stack([index["visible"][i] for i in ids])
        field = index["mappings"]["properties"]["key"]
        if "knn" in body:
            expect(set(body) == {"knn", "size", "_source"}, f"unknown keys {sorted(body)}")
            knn = body["knn"]
            expect(knn["field"] == "key" and knn["k"] <= knn["num_candidates"] <= 10_000, "num_candidates")
            scores = similarity(field["similarity"], keys, self.vector(knn["query_vector"], field))
            free = self.free(ids, knn.get("filter", {"match_all": {}}))
        elif "ids" in body["query"]:
            expect(set(body) == {"query", "size", "_source", "fields"}, f"unknown keys {sorted(body)}")
            expect(body["fields"] == ["key"], "fields")
            free = np.isin(ids, [int(v) for v in body["query"]["ids"]["values"]])
            scores = np.ones(len(ids))
        else:
            expect(
                set(body) == {"query", "size", "sort", "_source", "fields"}, f"unknown keys {sorted(body)}"
            )
            expect(body["sort"] == [{"_score": "desc"}, {"id": "asc"}] and body["fields"] == ["key"], "sort")
            scored = body["query"]["script_score"]
            params, source = scored["script"]["params"], scored["script"]["source"]
            expect(source in SCRIPTS, f"compile error: {source}")
            query = self.vector(params["query"], field)
            scores = SCRIPTS[source](keys.astype(np.float64), query.astype(np.float64), params["scale"])
            expect((scores >= 0).all(), "script_score script returned a negative score")
            free = self.free(ids, scored["query"])
        scores = np.where(free, scores.astype(np.float32), -1)
        order = [i for i in np.lexsort((ids, -scores)) if free[i]][: body["size"]]
        hits = [{"_id": str(ids[i]), "_score": float(scores[i])} for i in order]
        if "fields" in body:
            for hit, i in zip(hits, order, strict=True):
                hit["fields"] = {"key": [float(x) for x in keys[i]]}
        return {"hits": {"hits": hits}}

    def vector(self, values, field):
        query = np.array(values, np.float32)
        expect(query.shape == (field["dims"],), "the query vector has a different number of dimensions")
        return query

    def free(self, ids, query):
        if query == {"match_all": {}}:
            return np.ones(len(ids), bool)
        expect(list(query) == ["bool"] and list(query["bool"]) == ["must_not"], f"unknown query {query}")
        values = query["bool"]["must_not"]["ids"]["values"]
        expect(all(isinstance(v, str) for v in values), "document ids are strings")
        return ~np.isin(ids, [int(v) for v in values])


def similarity(name, keys, query):
    """Scores of a kNN search as Elasticsearch documents them."""
    product = keys @ query
    if name == "dot_product":
        return (1 + product) / 2
    if name == "l2_norm":
        return 1 / (1 + ((keys - query) ** 2).sum(1))
    return np.where(product < 0, 1 / (1 - np.minimum(product, 0)), product + 1)
