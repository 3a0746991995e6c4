"""Building a gallery: shard by shard, so that a killed build goes on where it was."""

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes, write_text
from procrop.io.lock import FolderLock, FolderLockedError
from procrop.io.manifest import MANIFEST_NAME, read_manifest, sha256_json, write_manifest
from procrop.io.photo import PhotoError, read_photo
from procrop.io.progress import progress
from procrop.registry import INDEXES, RETRIEVAL_BACKBONES

from .backbones.base import RetrievalBackbone
from .feature_store import FeatureStore, FeatureStoreError
from .gallery import Gallery
from .gallery_format import (
    INDEX_FILE,
    KEYS,
    KIND,
    LOCK_FILE,
    REJECTED_FILE,
    TOKENS,
    TRANSFORM_FILE,
    VERSION,
    GalleryError,
    GalleryItem,
    PhotoRecord,
    ShardTable,
    gallery_fingerprint,
    portable_config,
    read_shard_table,
    rejected_lines,
    shard_table_name,
    write_shard_table,
)
from .gallery_plan import (
    PlannedPhoto,
    normalised_crops,
    plan_photos,
    prepare_folder,
    relative_root,
    try_sha256,
)
from .key_transforms import KeyTransform, build_key_transform, raw_keys

# photos handed to the encoder at once; fixed, so that a resumed build repeats the very same batches
_ENCODE_CHUNK = 32


def build_gallery(
    folder: str | os.PathLike,
    items: Iterable[GalleryItem],
    retrieval: dict,
    photo_root: str | os.PathLike,
    *,
    shard_size: int = 256,
    workers: int = 2,
    backbone: RetrievalBackbone | None = None,
) -> Gallery:
    """Build a gallery, or bring the one in ``folder`` up to date.

    Shards whose photos, annotations and encoder are the same as before are kept, from the first one on; so a
    build that was killed goes on, one whose photos are unchanged ends at once, and photos appended to the
    list cost only themselves. Interrupted and uninterrupted builds give the same bytes on one machine. Photos
    that cannot be used are set aside with their reason.

    Args:
        folder: The gallery; made when absent.
        items: Photos in the order of their ids.
        retrieval: Config with ``backbone``, and optionally ``key_transform`` and ``index``.
        photo_root: Folder that holds all photos; their names are relative to it.
        shard_size: Photos per shard: what a kill can cost.
        workers: Threads that read photos.
        backbone: The encoder, when it is made already; else it is built from ``retrieval``.

    Returns:
        The finished gallery.

    Raises:
        GalleryError: No usable photo, a name given twice, a photo outside ``photo_root``, a folder that
            cannot be written or holds something else, or a build that is running there.
        ValueError: A config that does not fit.
        OSError: The disk is full; what was finished is kept.
    """
    folder, photo_root = Path(folder), Path(photo_root)
    if shard_size < 1 or workers < 1:
        raise ValueError(f"shard_size and workers must be at least 1, not {shard_size} and {workers}")
    plans = plan_photos(items, photo_root)
    prepare_folder(folder, photo_root)
    portable_config(retrieval)
    if backbone is None:
        backbone = RETRIEVAL_BACKBONES.build(dict(retrieval["backbone"]))
    transform = build_key_transform(retrieval.get("key_transform"))
    try:
        with FolderLock(folder / LOCK_FILE):
            builder = _Builder(folder, plans, retrieval, photo_root, backbone, transform, shard_size, workers)
            builder.run()
    except FolderLockedError as error:
        raise GalleryError(str(error)) from error
    return Gallery.open(folder)


class _Builder:
    """One build: decide what to keep, encode the rest, then fit, index and write the manifest."""

    def __init__(
        self,
        folder: Path,
        plans: list[PlannedPhoto],
        retrieval: dict,
        photo_root: Path,
        backbone: RetrievalBackbone,
        transform: KeyTransform,
        shard_size: int,
        workers: int,
    ) -> None:
        self.folder, self.plans, self.photo_root = folder, plans, photo_root
        self.backbone, self.transform = backbone, transform
        self.config = portable_config(retrieval)
        self.fingerprint = gallery_fingerprint(backbone.fingerprint, self.config["key_transform"])
        self.shards = [plans[i : i + shard_size] for i in range(0, len(plans), shard_size)]
        self.shard_size = shard_size
        self.workers = workers
        self.pool = ThreadPoolExecutor(workers)
        if not transform.takes_tokens and backbone.key_dim is None:
            raise ValueError(
                "this encoder gives tokens only: put dict(type='MeanPool') first in key_transform"
            )
        if transform.takes_tokens and backbone.token_shape is None:
            raise ValueError("this encoder gives keys only: MeanPool has no tokens to pool")

    def run(self) -> None:
        """Bring the folder up to date."""
        with self.pool:
            _remove_temporary(self.folder)
            self._hash_photos()
            maker = [VERSION, self.backbone.fingerprint, self.transform.takes_tokens]
            signatures = [sha256_json([maker, [plan.signature() for plan in shard]]) for shard in self.shards]
            kept = self._kept_shards(signatures)
            if kept == len(self.shards) and self._is_finished():
                return
            # from here on the folder is a build in progress, and opening it says so
            (self.folder / MANIFEST_NAME).unlink(missing_ok=True)
            stores = self._open_stores(kept)
            first = kept * self.shard_size
            loaded = progress(
                self._load_ahead(self.plans[first:]), total=len(self.plans), desc="encoding", initial=first
            )
            for i in range(kept, len(self.shards)):
                self._write_shard(i, signatures[i], islice(loaded, len(self.shards[i])), stores)
            # lets the bar end at its total
            next(loaded, None)
        self._finish(stores)

    def _hash_photos(self) -> None:
        for plan, digest in zip(
            self.plans, self.pool.map(lambda p: try_sha256(p.item.path), self.plans), strict=True
        ):
            plan.sha256 = digest

    def _stores_with_shapes(self) -> Iterator[tuple[str, tuple[int, ...], str]]:
        if self.transform.takes_tokens:
            yield KEYS, self.backbone.token_shape[1:], "float32"
        else:
            yield KEYS, (self.backbone.key_dim,), "float32"
        if self.backbone.token_shape is not None:
            yield TOKENS, self.backbone.token_shape, "float16"

    def _kept_shards(self, signatures: Sequence[str]) -> int:
        """How many shards, from the first one on, are on the disk as this build would make them."""
        rows: list[int] = []
        for i, signature in enumerate(signatures):
            try:
                table = read_shard_table(self.folder, i)
            except (FileNotFoundError, GalleryError):
                break
            if table.plan != signature:
                break
            rows.append(len(table.records))
        kept = len(rows)
        for name, shape, dtype in self._stores_with_shapes():
            try:
                store = FeatureStore.open(self.folder / name)
            except FeatureStoreError:
                return 0
            if store.row_shape != tuple(shape) or store.dtype != dtype:
                return 0
            kept = store.count_intact(kept)
            while store.shard_rows[:kept] != rows[:kept]:
                kept -= 1
        return kept

    def _is_finished(self) -> bool:
        """Whether the folder already holds exactly the gallery that this build would make."""
        try:
            manifest = read_manifest(self.folder, KIND, VERSION)
            gallery = Gallery.open(self.folder)
        except ValueError:
            return False
        return manifest["extra"] == self._extra(len(gallery), len(gallery.rejected)) and not gallery.verify(
            photos=False
        )

    def _open_stores(self, kept: int) -> dict[str, FeatureStore]:
        stores = {}
        for name, shape, dtype in self._stores_with_shapes():
            if kept:
                stores[name] = FeatureStore.open(self.folder / name)
                stores[name].truncate(kept)
            else:
                stores[name] = FeatureStore.create(self.folder / name, shape, dtype)
        for i in count(kept):
            path = self.folder / shard_table_name(i)
            if not path.exists():
                break
            path.unlink()
        return stores

    def _load_ahead(self, plans: Sequence[PlannedPhoto]) -> Iterator[tuple[np.ndarray, PhotoRecord] | str]:
        """Load photos in order, a few ahead of the encoder, so that memory does not grow with the gallery."""
        waiting: deque[Future] = deque()
        for plan in plans:
            waiting.append(self.pool.submit(self._load, plan))
            if len(waiting) > 2 * self.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _write_shard(
        self,
        index: int,
        signature: str,
        loaded: Iterable[tuple[np.ndarray, PhotoRecord] | str],
        stores: dict[str, FeatureStore],
    ) -> None:
        """Encode a shard's photos and write its rows, then the table that marks it as complete."""
        table = ShardTable(signature)
        rows: dict[str, list[np.ndarray]] = {KEYS: [], TOKENS: []}
        chunk: list[tuple[np.ndarray, PhotoRecord]] = []
        for plan, result in zip(self.shards[index], loaded, strict=True):
            if isinstance(result, str):
                table.rejected.append((plan.name, result))
                continue
            chunk.append(result)
            if len(chunk) == _ENCODE_CHUNK:
                self._encode(chunk, table, rows)
                chunk = []
        if chunk:
            self._encode(chunk, table, rows)
        for name, store in stores.items():
            stacked = np.stack(rows[name]) if rows[name] else np.empty((0, *store.row_shape))
            store.append(stacked.astype(store.dtype))
        write_shard_table(self.folder, index, table)

    def _encode(
        self,
        chunk: list[tuple[np.ndarray, PhotoRecord]],
        table: ShardTable,
        rows: dict[str, list[np.ndarray]],
    ) -> None:
        embeddings = self.backbone.encode([image for image, _ in chunk])
        keys, tokens = raw_keys(embeddings.keys, embeddings.tokens, self.transform), embeddings.tokens
        for i, (_, record) in enumerate(chunk):
            reason = _unusable(keys[i], None if tokens is None else tokens[i], self.backbone.metric)
            if reason:
                table.rejected.append((record.name, reason))
                continue
            table.records.append(record)
            rows[KEYS].append(keys[i])
            if tokens is not None:
                rows[TOKENS].append(tokens[i])

    def _load(self, plan: PlannedPhoto) -> tuple[np.ndarray, PhotoRecord] | str:
        """Read a photo and bring it to working size at once; a reason in words when that cannot be done."""
        try:
            photo = read_photo(plan.item.path)
            height, width = photo.shape[:2]
            crops, scores = normalised_crops(plan.item, width, height)
            record = PhotoRecord(plan.name, plan.source_id, width, height, plan.sha256 or "", crops, scores)
            return self.backbone.prepare(photo), record
        except PhotoError as error:
            return error.reason
        except (OSError, ValueError) as error:
            return getattr(error, "strerror", None) or str(error)

    def _extra(self, photos: int, rejected: int) -> dict:
        """What the manifest says beside the files."""
        return {
            "retrieval": self.config,
            "backbone_fingerprint": self.backbone.fingerprint,
            "metric": self.backbone.metric,
            "token_shape": None if self.backbone.token_shape is None else list(self.backbone.token_shape),
            "token_grid": None if self.backbone.token_grid is None else list(self.backbone.token_grid),
            "photos": photos,
            "rejected": rejected,
            "shards": len(self.shards),
            "photo_root": relative_root(self.photo_root, self.folder),
        }

    def _finish(self, stores: dict[str, FeatureStore]) -> None:
        """Fit the transform, index the keys, and sign everything with the manifest."""
        tables = [read_shard_table(self.folder, i) for i in range(len(self.shards))]
        rejected = [entry for table in tables for entry in table.rejected]
        write_text(self.folder / REJECTED_FILE, rejected_lines(rejected))
        raw = stores[KEYS].read_all()
        if not len(raw):
            name, reason = rejected[0]
            raise GalleryError(
                f"{self.photo_root}: none of {len(rejected)} photos can be used (first: {name}: {reason}); "
                f"all reasons are in {self.folder / REJECTED_FILE}"
            )
        keys = self.transform.fit(raw).transform(raw)
        buffer = io.BytesIO()
        np.savez(buffer, **self.transform.state())
        write_bytes(self.folder / TRANSFORM_FILE, buffer.getvalue())
        index = INDEXES.build(
            {"metric": self.backbone.metric, **(self.config["index"] or {"type": "FaissIndex"})}
        )
        index.add(np.arange(len(keys)), keys)
        index.save(self.folder / INDEX_FILE)
        files = [TRANSFORM_FILE, INDEX_FILE, REJECTED_FILE]
        files += [shard_table_name(i) for i in range(len(self.shards))]
        files += [f"{name}/{file}" for name, store in stores.items() for file in store.files]
        write_manifest(
            self.folder,
            kind=KIND,
            version=VERSION,
            fingerprint=self.fingerprint,
            files=files,
            extra=self._extra(len(keys), len(rejected)),
        )


def _unusable(key: np.ndarray, tokens: np.ndarray | None, metric: str) -> str | None:
    """Why a photo's embedding cannot be used, or None."""
    if not (np.isfinite(key).all() and (tokens is None or np.isfinite(tokens).all())):
        return "the encoder gives NaN or infinite values for it"
    if metric == "cosine" and not key.any():
        return "the encoder gives it an all-zero key, which has no cosine"
    return None


def _remove_temporary(folder: Path) -> None:
    """Remove what killed builds left half-written; the lock is held, so nobody is writing."""
    for path in folder.glob("**/.*.tmp"):
        path.unlink(missing_ok=True)
