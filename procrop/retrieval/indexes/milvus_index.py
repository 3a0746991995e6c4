"""Search with Milvus: embedded in this process, or a cluster."""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from procrop.registry import INDEXES

from .server_index import IndexServerError, ServerIndex, check_uri

TOKEN_VARIABLE = "MILVUS_TOKEN"
_ID, _KEY = "id", "key"
# how many objects of this process use an embedded database: Milvus keeps one server per file
_users: dict[str, int] = {}


def _import_pymilvus():  # noqa: ANN202 (a module)
    try:
        import pymilvus
    except ImportError as error:
        raise ImportError("MilvusIndex needs pymilvus: pip install pymilvus milvus-lite") from error
    return pymilvus


@INDEXES.register_module()
class MilvusIndex(ServerIndex):
    """Nearest neighbours by Milvus.

    Without ``uri`` the database is a folder ``<path>.milvus.db`` beside the saved file, and Milvus runs inside this
    process (package milvus-lite); one process at a time can open it. With ``uri`` it is a server or cluster. A token
    is read from the environment variable MILVUS_TOKEN and written nowhere.

    Keys are stored at unit length under the cosine and compared by their inner product. Milvus's candidates are
    scored again in float64, so scores are exact; with index type FLAT the ids are too, ties by id.

    Args:
        metric: ``"cosine"``, ``"inner_product"`` or ``"l2"``.
        uri: Address of a server, e.g. ``"http://milvus:19530"``; None embeds Milvus.
        index_type: ``"FLAT"``, ``"HNSW"``, ``"IVF_FLAT"`` or any other type for float vectors that the server has.
        index_params: What it is built with, e.g. ``dict(M=32, efConstruction=200)`` or ``dict(nlist=1024)``.
        search_params: What it is searched with, e.g. ``dict(ef=128)`` or ``dict(nprobe=32)``.
        database: Database on the server.

    Raises:
        ValueError: Unknown metric, or credentials in ``uri``.
        ImportError: pymilvus is missing.
    """

    magic = b"procrop milvus pointer\n"
    limit = 16_384
    search_settings = ("uri", "database", "search_params")

    def __init__(
        self,
        metric: str = "cosine",
        uri: str | None = None,
        index_type: str = "FLAT",
        index_params: dict[str, Any] | None = None,
        search_params: dict[str, Any] | None = None,
        database: str = "default",
    ) -> None:
        check_uri(uri, TOKEN_VARIABLE)
        settings = dict(
            uri=uri,
            index_type=index_type,
            index_params=dict(index_params or {}),
            search_params=dict(search_params or {}),
            database=database,
        )
        super().__init__(metric, settings)
        self._milvus = _import_pymilvus()
        self._client: Any = None
        self._where = uri or ""

    @property
    def is_exact(self) -> bool:
        return self.settings["index_type"] == "FLAT"

    @property
    def _milvus_metric(self) -> str:
        return "L2" if self.metric == "l2" else "IP"

    def _connect(self, path: Path, fresh: bool) -> None:
        uri = self.settings["uri"]
        if self._client is not None:
            self.close()
        if uri is None:
            self._where = os.path.abspath(f"{path}.milvus.db")
            if not fresh and not os.path.isdir(self._where):
                raise ValueError(f"{self._where}: missing; build the gallery again")
        try:
            self._client = self._milvus.MilvusClient(
                uri=self._where,
                token=os.environ.get(TOKEN_VARIABLE, "") if uri else "",
                db_name=self.settings["database"] if uri else "",
            )
        except self._milvus.MilvusException as error:
            remedy = (
                "start it, or set uri to another"
                if uri
                else "another process may have it open: end that, or run a Milvus server and give its uri"
            )
            raise IndexServerError(
                f"{self._where}: Milvus cannot be opened ({_reason(error)}); {remedy}"
            ) from error
        self._pid = os.getpid()
        release = None if uri else self._where
        if release:
            _users[release] = _users.get(release, 0) + 1
        self._finalizer = weakref.finalize(self, _close, self._client, release, self._pid)

    def close(self) -> None:
        """Give the connection back; an embedded database can then be opened by another process."""
        if self._client is not None:
            self._finalizer()
            self._client = None

    def _call(self, method: str, **arguments: Any) -> Any:
        """Call the client; its errors name the server."""
        if self._client is None:
            raise IndexServerError(f"{self._where}: the index was closed; open it again")
        if os.getpid() != self._pid:
            raise IndexServerError(
                f"{self._where}: opened before this process was forked; open the index in the process that uses it"
            )
        try:
            return getattr(self._client, method)(**arguments)
        except self._milvus.MilvusException as error:
            raise IndexServerError(
                f"{self._where}: Milvus refuses to {method.replace('_', ' ')} ({_reason(error)}); is there room on "
                f"its disk, and does it know index type {self.settings['index_type']}?"
            ) from error

    def _state(self, header: dict[str, Any]) -> str | None:
        name = header["name"]
        if not self._call("has_collection", collection_name=name):
            return "absent"
        fields = {f["name"]: f for f in self._call("describe_collection", collection_name=name)["fields"]}
        if set(fields) != {_ID, _KEY} or int(fields[_KEY]["params"].get("dim", 0)) != header["dim"]:
            return "a collection with other fields"
        self._call("load_collection", collection_name=name)
        found = self._call("query", collection_name=name, filter="", output_fields=["count(*)"])
        rows = int(found[0]["count(*)"])
        return None if rows == header["count"] else f"{rows} keys, not {header['count']}"

    def _drop(self, header: dict[str, Any]) -> None:
        self._call("drop_collection", collection_name=_unfinished(header))

    def _send(self, header: dict[str, Any], batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        types, name = self._milvus.DataType, _unfinished(header)
        schema = self._milvus.MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field(_ID, types.INT64, is_primary=True)
        schema.add_field(_KEY, types.FLOAT_VECTOR, dim=header["dim"])
        index = self._milvus.MilvusClient.prepare_index_params()
        index.add_index(
            _KEY,
            index_type=self.settings["index_type"],
            metric_type=self._milvus_metric,
            params=self.settings["index_params"],
        )
        self._call("create_collection", collection_name=name, schema=schema, consistency_level="Strong")
        for ids, keys in batches:
            rows = [{_ID: int(i), _KEY: key} for i, key in zip(ids, keys, strict=True)]
            self._call("insert", collection_name=name, data=rows)
        self._call("flush", collection_name=name)
        self._call("create_index", collection_name=name, index_params=index)
        # the final name says that all is there
        self._call("rename_collection", old_name=name, new_name=header["name"])

    def _stored(self, header: dict[str, Any], start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        found = self._call(
            "query",
            collection_name=header["name"],
            filter=f"{_ID} >= {start} and {_ID} < {stop}",
            output_fields=[_ID, _KEY],
            limit=stop - start + 1,
        )
        ids = np.array([row[_ID] for row in found], np.int64)
        return ids, np.array([row[_KEY] for row in found], np.float32).reshape(len(ids), -1)

    @property
    def _repair(self) -> str:
        return super()._repair if self.settings["uri"] else "build the gallery again"

    def _discard(self, header: dict[str, Any]) -> bool:
        if self.settings["uri"] is not None:
            return False
        try:
            damage = self._damage(header)
        except IndexServerError as error:
            damage = str(error)
        if damage:
            self._call("drop_collection", collection_name=header["name"])
        return bool(damage)

    def _tidy(self, header: dict[str, Any]) -> None:
        # an embedded database belongs to one gallery, a server to many
        if self.settings["uri"] is None:
            for name in self._call("list_collections"):
                if name != header["name"]:
                    self._call("drop_collection", collection_name=name)

    def _ask(
        self, queries: np.ndarray, wanted: int, barred: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray] | None, list[np.ndarray] | None]:
        dim = queries.shape[1]
        found = self._call(
            "search",
            collection_name=self._saved["name"],
            data=list(queries),
            anns_field=_KEY,
            limit=wanted,
            filter=f"{_ID} not in {barred.tolist()}" if len(barred) else "",
            output_fields=[_KEY],
            search_params={"metric_type": self._milvus_metric, "params": self.settings["search_params"]},
        )
        ids = [np.array([hit[_ID] for hit in hits], np.int64) for hits in found]
        keys = [
            np.array([hit["entity"][_KEY] for hit in hits], np.float32).reshape(-1, dim) for hits in found
        ]
        return ids, None, keys


def _unfinished(header: dict[str, Any]) -> str:
    return header["name"] + "_unfinished"


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", error)).strip()


def _close(client: Any, embedded: str | None, pid: int) -> None:
    """Close a client, and the embedded server with its last one; nothing in a forked child, whose parent goes on."""
    if os.getpid() != pid:
        return
    client.close()
    if embedded:
        _users[embedded] -= 1
        if not _users[embedded]:
            del _users[embedded]
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(embedded)
