"""From a query's embedding to the keys that a gallery is searched with, and who may stand in for its encoder."""

import os
from typing import TYPE_CHECKING

import numpy as np

from .backbones.base import Embeddings, RetrievalBackbone
from .distilled_key_file import KeySpace
from .feature_store import FeatureStore
from .gallery_format import KEYS, GalleryError
from .indexes.base import scaled
from .key_transforms import raw_keys

if TYPE_CHECKING:
    from .gallery import Gallery


def checked_query_encoder(
    gallery: "Gallery", encoder: str | os.PathLike | RetrievalBackbone, device: str | None = None
) -> RetrievalBackbone:
    """The encoder, opened if it is a file, after a check that its keys lie where the gallery's indexed keys lie.

    Args:
        gallery: The gallery to be searched; its own encoder is not built.
        encoder: A file of ``tools/distill_keys.py``, or an encoder with a `KeySpace` in its attribute ``space``.
        device: Where an encoder that is opened here runs; None takes the CPU.

    Raises:
        GalleryError: The file cannot be used, or the encoder was made for another gallery's keys.
    """
    name = type(encoder).__name__
    if isinstance(encoder, str | os.PathLike):
        from .backbones.distilled_keys import DistilledKeyRetrieval

        name = os.fspath(encoder)
        try:
            encoder = DistilledKeyRetrieval(encoder, device=device or "cpu")
        except ValueError as error:
            raise GalleryError(str(error)) from error
    wanted, found = KeySpace.of_gallery(gallery), getattr(encoder, "space", None)
    if found != wanted:
        out = name if name.endswith(".safetensors") else "FILE"
        raise GalleryError(
            f"{name}: {_difference(wanted, found)}, so it cannot search {gallery.folder}; make the right one: "
            f"python tools/distill_keys.py {gallery.folder} --out {out}"
        )
    return encoder


def indexed_keys(gallery: "Gallery", embeddings: Embeddings) -> np.ndarray:
    """Keys (Q, d) float32, as the gallery's index holds them, of what its query encoder says about Q photos.

    The embeddings may have been made for another gallery of the same encoder: only the key transform is the gallery's.
    """
    if (
        getattr(gallery.query_encoder, "space", None) is not None
    ):  # a distilled encoder's keys are transformed already
        return embeddings.keys
    transform = gallery.key_transform
    return transform.transform(raw_keys(embeddings.keys, embeddings.tokens, transform))


def similarities(gallery: "Gallery", keys: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """How near queries are to given photos, on the scale of the gallery's search, without its index.

    Args:
        gallery: The gallery.
        keys: (Q, d) float32, as :func:`indexed_keys` gives them.
        ids: (n,) int64.

    Returns:
        (Q, n) float32, larger is nearer. An index that keeps its keys roughly searches with rougher numbers.
    """
    if not len(ids):
        return np.zeros((len(keys), 0), np.float32)
    rows = gallery.key_transform.transform(FeatureStore.open(gallery.folder / KEYS).read(ids))
    rows, keys = (scaled(part, gallery.metric).astype(np.float64) for part in (rows, keys))
    if gallery.metric == "l2":
        return -np.square(keys[:, None] - rows[None]).sum(axis=2).astype(np.float32)
    return (keys @ rows.T).astype(np.float32)


def _difference(wanted: KeySpace, found: KeySpace | None) -> str:
    if found is None:
        return "does not say whose keys it gives"
    if found.fingerprint != wanted.fingerprint:
        return (
            f"distilled from another encoder or key transform (fingerprint {found.fingerprint[:12]}, the gallery's is "
            f"{wanted.fingerprint[:12]})"
        )
    if found.key_dim != wanted.key_dim:
        return f"gives keys of length {found.key_dim}, the gallery's have {wanted.key_dim}"
    if found.transform_sha256 != wanted.transform_sha256:
        return "distilled from a gallery whose key transform learned something else"
    return f"made for the metric {found.metric!r}, the gallery has {wanted.metric!r}"
