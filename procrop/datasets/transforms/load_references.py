"""Loading of a sample's retrieved reference photos."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS

if TYPE_CHECKING:  # a pipeline without references needs neither FAISS nor its friends
    from procrop.retrieval.gallery import Gallery

_WHAT = ("image", "annotation", "both")


@TRANSFORMS.register_module()
class LoadReferences(BaseTransform):
    """Load the K nearest gallery photos of a sample, as a neighbour table lists them.

    Gallery and table are opened when the first sample comes, once in each process. Where a sample has fewer than K
    neighbours, the rest is absent: ``reference_mask`` True, id -1, zeros.

    Required keys: ``img_id``.

    Added keys: ``reference_ids`` (K,) int64, ``reference_scores`` (K,) float32 similarity, ``reference_mask`` (K,)
    bool True = absent; for images ``reference_tokens`` (K, m, d_r) float16; for annotations ``reference_crops``
    (K, c, 4) float32 normalised cxcywh, ``reference_crop_scores`` (K, c) float32, ``reference_crop_mask`` (K, c)
    bool True = absent, where c is the largest number of crops among the K references.

    Args:
        gallery: the gallery's folder; None switches the step off (the model without references).
        table: the neighbour table's file.
        k: references per sample.
        what: "image" (features of the references), "annotation" (their annotated crops) or "both".
        drop_prob: in training, probability that a sample gets no reference at all.
    """

    def __init__(
        self,
        gallery: str | None,
        table: str | None,
        k: int = 10,
        what: str = "image",
        drop_prob: float = 0.0,
    ) -> None:
        if what not in _WHAT:
            raise ValueError(f"what must be one of {_WHAT}, got {what!r}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}; gallery=None switches references off")
        if not 0 <= drop_prob <= 1:
            raise ValueError(f"drop_prob must lie in [0, 1], got {drop_prob}")
        if gallery is not None and table is None:
            raise ValueError(
                "a gallery needs a neighbour table; name the file that tools/neighbours.py writes"
            )
        self.gallery_path = gallery
        self.table_path = table
        self.k = k
        self.what = what
        self.drop_prob = drop_prob
        self._opened: tuple[int, Any, Any] | None = None

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the gallery's maker; None without a gallery."""
        return self._open()[0].fingerprint if self.gallery_path is not None else None

    @property
    def token_shape(self) -> tuple[int, int] | None:
        """(m, d_r) of one reference's tokens; None without a gallery or with one that has keys only."""
        return self._open()[0].token_shape if self.gallery_path is not None else None

    def transform(self, results: dict) -> dict:
        """Add the references to a sample.

        Raises:
            ValueError: the gallery or the table is absent or damaged, they do not belong together, or they lack
                what is asked of them (GalleryError and NeighbourTableError are ValueErrors).
        """
        if self.gallery_path is None:
            return results
        gallery, table = self._open()
        ids, scores = table.lookup(results["img_id"], self.k)
        dropped = np.random.random() < self.drop_prob  # drawn always: equal draws with any drop_prob
        ids = np.asarray(ids, dtype=np.int64)[: 0 if dropped else self.k]
        scores = np.asarray(scores, dtype=np.float32)[: len(ids)]
        results.update(reference_fields(gallery, ids, scores, self.k, self.what))
        return results

    def _open(self) -> tuple[Any, Any]:
        """Gallery and table of this process: memory maps are not shared over a fork."""
        if self._opened is None or self._opened[0] != os.getpid():
            # imported here: a pipeline without references needs neither FAISS nor its friends
            from procrop.retrieval.gallery import Gallery
            from procrop.retrieval.neighbour_table import NeighbourTable

            gallery = Gallery.open(self.gallery_path)
            # refuses a table that was made with another encoder or for other photos
            table = NeighbourTable.open(self.table_path, gallery)
            self._opened = (os.getpid(), gallery, table)
        return self._opened[1:]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": None}

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(gallery={self.gallery_path!r}, table={self.table_path!r}, k={self.k}, "
            f"what={self.what!r}, drop_prob={self.drop_prob})"
        )


def reference_fields(
    gallery: "Gallery", ids: np.ndarray, scores: np.ndarray, slots: int, what: str
) -> dict[str, np.ndarray]:
    """The keys that LoadReferences adds to a sample.

    Args:
        gallery: the gallery.
        ids: (n,) int64, the references.
        scores: (n,) float32, their similarities.
        slots: K, at least n; the rest is absent.
        what: "image", "annotation" or "both".

    Raises:
        ValueError: the gallery lacks what is asked of it.
    """
    fields = {
        "reference_ids": _padded(ids, slots, -1),
        "reference_scores": _padded(scores, slots, 0),
        "reference_mask": _padded(np.zeros(len(ids), dtype=bool), slots, True),
    }
    if what in ("image", "both"):
        fields["reference_tokens"] = _tokens(gallery, ids, slots)
    if what in ("annotation", "both"):
        found = gallery.crops(ids)  # asked without ids too, for the number of crops per photo
        if found is None:
            reason = f"it holds no crop annotations, which what={what!r} needs"
            raise ValueError(f"{gallery.folder}: {reason}; build it with annotations, or set what='image'")
        crops, crop_scores, crop_mask = found
        fields["reference_crops"] = _padded(np.asarray(crops, dtype=np.float32), slots, 0)
        fields["reference_crop_scores"] = _padded(np.asarray(crop_scores, dtype=np.float32), slots, 0)
        fields["reference_crop_mask"] = _padded(np.asarray(crop_mask, dtype=bool), slots, True)
    return fields


def _tokens(gallery: "Gallery", ids: np.ndarray, slots: int) -> np.ndarray:
    if gallery.token_shape is None:
        reason = "it holds no image tokens"
        raise ValueError(f"{gallery.folder}: {reason}; build it with a backbone that makes some")
    tokens = np.zeros((slots, *gallery.token_shape), dtype=np.float16)
    if len(ids):
        tokens[: len(ids)] = gallery.tokens(ids)
    return tokens


def _padded(values: np.ndarray, slots: int, fill: float) -> np.ndarray:
    """Fill the first axis up to the number of slots."""
    padded = np.full((slots, *values.shape[1:]), fill, dtype=values.dtype)
    padded[: len(values)] = values
    return padded
