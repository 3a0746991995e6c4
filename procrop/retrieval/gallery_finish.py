"""The last step of a build: fit the key transform, index the keys, and sign everything with the manifest."""

import io
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from procrop.io.atomic import write_bytes, write_text
from procrop.io.manifest import MANIFEST_NAME, ManifestError, read_manifest, sha256_file, write_manifest
from procrop.registry import INDEXES

from .feature_store import STORE_NAME, FeatureStore
from .gallery_design import GalleryDesign
from .gallery_format import (
    INDEX_FILE,
    KEYS,
    KIND,
    PARTS,
    PREVIOUS_FILE,
    REJECTED_FILE,
    TRANSFORM_FILE,
    VERSION,
    GalleryError,
    rejected_lines,
)
from .gallery_plan import relative_root
from .gallery_shards import ShardFolder, read_shard_table, shard_files
from .indexes.base import VectorIndex
from .key_transforms import KeyTransform, build_key_transform, read_state

_LOGGER = logging.getLogger(__name__)

# what a key transform and an index learn from: at most so many keys, and at most so many numbers (half a GiB)
SAMPLE_ROWS = 200_000
SAMPLE_VALUES = 2**27
# what is transformed and handed to an index at once: at most so many keys, and so many numbers (a quarter GiB)
_CHUNK_ROWS = 65_536
_CHUNK_VALUES = 2**26


def finish_gallery(
    folder: Path, design: GalleryDesign, names: Sequence[str], photo_root: Path, refit: bool = False
) -> None:
    """Make a gallery of the shards in its folder; to be called with the folder's lock held.

    A key transform that was fitted when the folder's gallery was finished before stays as it is, unless ``refit``, so
    that the keys of photos that stay do not change. Killed at any moment, it can be called again.

    Args:
        folder: The gallery.
        design: What made the shards.
        names: The shards in the order of their photos; all are complete.
        photo_root: Folder that holds all photos.
        refit: Fit the key transform anew, to the photos there are now.

    Raises:
        GalleryError: No photo can be used.
        ValueError: The transform cannot be fitted to so few photos, or the index does not take the keys.
        OSError: The disk is full.
    """
    shards = ShardFolder(folder)
    tables = [read_shard_table(folder, name) for name in names]
    rejected = [entry for table in tables for entry in table.rejected]
    write_text(folder / REJECTED_FILE, rejected_lines(rejected))
    if len(rejected) == sum(len(table.records) + len(table.rejected) for table in tables):
        name, reason = rejected[0]
        raise GalleryError(
            f"{photo_root}: none of {len(rejected)} photos can be used (first: {name}: {reason}); "
            f"all reasons are in {folder / REJECTED_FILE}"
        )
    previous = previous_manifest(folder)
    _set_manifest_aside(folder)
    stores = {}
    for store, (shape, dtype) in design.stores.items():
        files = [
            (f"{name}.npy", len(t.records), t.files[store]) for name, t in zip(names, tables, strict=True)
        ]
        stores[store] = FeatureStore.assemble(folder / store, shape, dtype, files)
    transform, fitted_on = _fitted_transform(folder, design, stores[KEYS], None if refit else previous)
    _build_index(design, stores[KEYS], transform).save(folder / INDEX_FILE)
    # before the manifest: a gallery that is finished never holds rows of the states before
    shards.keep_only(names)
    files = [TRANSFORM_FILE, INDEX_FILE, REJECTED_FILE]
    files += [file for name in names for file in shard_files(name, design.stores)]
    files += [f"{store}/{STORE_NAME}" for store in stores]
    write_manifest(
        folder,
        kind=KIND,
        version=VERSION,
        fingerprint=design.fingerprint,
        files=files,
        extra={
            **expected_extra(folder, design, names, photo_root),
            "photos": len(stores[KEYS]),
            "rejected": len(rejected),
            "fitted_on": fitted_on,
        },
    )
    remove_leftovers(folder)


def expected_extra(folder: Path, design: GalleryDesign, names: Sequence[str], photo_root: Path) -> dict:
    """What a finished gallery's manifest says, but for what only the build finds out."""
    return {**design.to_json(), "shards": list(names), "photo_root": relative_root(photo_root, folder)}


def previous_manifest(folder: Path) -> dict | None:
    """The manifest of the state that was finished last, be it in place or set aside."""
    for name in (MANIFEST_NAME, PREVIOUS_FILE):
        try:
            return read_manifest(folder, KIND, VERSION, name)
        except ManifestError:
            continue
    return None


def remove_leftovers(folder: Path) -> None:
    """Remove what is of no use beside a finished manifest."""
    (folder / PREVIOUS_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _set_manifest_aside(folder: Path) -> None:
    """From here on the gallery is in the making, and opening it says so."""
    try:
        read_manifest(folder, KIND, VERSION)
        os.replace(folder / MANIFEST_NAME, folder / PREVIOUS_FILE)
    except ManifestError:
        (folder / MANIFEST_NAME).unlink(missing_ok=True)


def _fitted_transform(
    folder: Path, design: GalleryDesign, keys: FeatureStore, previous: dict | None
) -> tuple[KeyTransform, dict | None]:
    """The transform as ``previous`` left it, or fitted to the keys; and on how many photos it was fitted."""
    transform = build_key_transform(design.retrieval["key_transform"])
    path = folder / TRANSFORM_FILE
    if previous is not None and previous["fingerprint"] == design.fingerprint:
        try:
            if sha256_file(path) == previous["files"][TRANSFORM_FILE]["sha256"]:
                return transform.load_state(read_state(path.read_bytes())), previous["extra"]["fitted_on"]
        except (OSError, ValueError):
            pass
        _LOGGER.warning("%s: not as it was when the gallery was finished; it is fitted anew", path)
    sample = keys.read(_sampled_rows(len(keys), keys.row_shape[0]))
    transform.fit(sample)
    buffer = io.BytesIO()
    np.savez(buffer, **transform.state())
    write_bytes(path, buffer.getvalue())
    fitted_on = {"photos": len(keys), "sample": len(sample)} if transform.state() else None
    return transform, fitted_on


def _sampled_rows(count: int, dim: int) -> np.ndarray:
    """Rows to learn from, ascending: all, or as many as the limits allow, drawn once and for all."""
    most = min(SAMPLE_ROWS, SAMPLE_VALUES // dim)
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _build_index(design: GalleryDesign, keys: FeatureStore, transform: KeyTransform) -> VectorIndex:
    """Index all keys, reading a limited number at a time."""
    config = design.retrieval["index"] or {"type": "FaissIndex"}
    index = INDEXES.build({"metric": design.metric, **config})
    sample = _sampled_rows(len(keys), keys.row_shape[0])
    index.train(np.concatenate([part for _, part in _transformed(keys, transform, sample)]))
    for ids, part in _transformed(keys, transform, np.arange(len(keys))):
        index.add(ids, part)
    return index


def _transformed(
    keys: FeatureStore, transform: KeyTransform, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    step = max(1, min(_CHUNK_ROWS, _CHUNK_VALUES // keys.row_shape[0]))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield part, transform.transform(keys.read(part))
