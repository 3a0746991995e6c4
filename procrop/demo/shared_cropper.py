"""The one cropper that all visitors of the page share."""

import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from procrop.demo.demo_limits import DemoLimits
from procrop.demo.embedding_cache import EmbeddingCache
from procrop.io import PhotoError, read_photo
from procrop.visualization import read_thumbnail

if TYPE_CHECKING:
    from procrop.inference import CropInferencer, CropRequest, CropResult, PhotoEmbedding

TRAINING = "of the training"  # what the gallery is called that nobody named
MOST_CROPS = 8  # of a photo, that the page shows
_THUMBNAIL = (168, 126)  # pixels
_DECODED_AT_ONCE = 2  # photos: each may take 3 bytes a pixel, and as much again while it is read


class SharedCropper:
    """Embeds photos and answers questions for any number of threads, one at a time.

    Args:
        cropper: the cropper. It belongs to this object from now on.
        galleries: name -> folder of the galleries that visitors choose from; empty takes the cropper's own, if it has
            one.
        limits: how much memory embeddings may take, and how large photos may be.

    Raises:
        GalleryMismatchError: a gallery is missing, or was made by another encoder; the message names the command that
            makes the right one.
        ValueError: galleries are given for a model without references.
    """

    def __init__(
        self,
        cropper: "CropInferencer",
        galleries: Mapping[str, str | os.PathLike] | None = None,
        limits: DemoLimits | None = None,
    ) -> None:
        from procrop.inference import why_no_attention

        self.limits = limits or DemoLimits()
        self._cropper = cropper
        self._model_lock = threading.Lock()
        self._decoding = threading.BoundedSemaphore(_DECODED_AT_ONCE)
        self._embeddings = EmbeddingCache(self.limits.memory_bytes)
        self._opened = {}
        for name, folder in (galleries or {}).items():
            cropper.use_gallery(folder)
            self._opened[name] = cropper.references
        if not self._opened and cropper.references is not None:
            self._opened[TRAINING] = cropper.references
        self.why_no_attention = why_no_attention(cropper.model) if self._opened else None

    @property
    def gallery_names(self) -> tuple[str, ...]:
        """The galleries, the first one is taken where nothing else is said; none for a model without references."""
        return tuple(self._opened)

    @property
    def slots(self) -> int:
        """References per photo."""
        return next(iter(self._opened.values())).k if self._opened else 0

    @property
    def most_crops(self) -> int:
        """Crops per photo that can be asked for."""
        return min(MOST_CROPS, self._cropper.num_queries or MOST_CROPS)

    def check(self, gallery: str | None, request: "CropRequest") -> None:
        """Raise a ValueError if the model cannot give what is asked for."""
        with self._model_lock:
            self._use(gallery)
            self._cropper.check(request)

    def embedding(self, key: str, path: str | os.PathLike) -> "PhotoEmbedding":
        """The embedding of a photo file: the image backbone runs if none is kept.

        Args:
            key: names the photo among those of all visitors.
            path: its file.

        Raises:
            PhotoRejected: the photo cannot be read or cropped.
        """
        from procrop.inference import PhotoRejected

        kept = self._embeddings.get(key)
        if kept is not None:
            return kept
        try:
            with self._decoding:
                pixels = read_photo(path, self.limits.pixels)
        except PhotoError as error:
            raise PhotoRejected(path, error.reason) from error
        with self._model_lock:
            embedding = self._cropper.embed(pixels, path)
        self._embeddings.put(key, embedding)
        return embedding

    def forget(self, key: str) -> None:
        """Let go of a photo's embedding."""
        self._embeddings.drop(key)

    def answer(
        self, embedding: "PhotoEmbedding", gallery: str | None, request: "CropRequest"
    ) -> "CropResult":
        """Crop an embedded photo; the attention is recorded where the model defines it."""
        with self._model_lock:
            self._use(gallery)
            attention = bool(self._opened) and self.why_no_attention is None
            return self._cropper.answer(embedding, request, attention)

    def _use(self, gallery: str | None) -> None:
        if self._opened:
            if gallery not in self._opened:
                raise ValueError(f"there is no gallery {gallery!r}; there are {', '.join(self._opened)}")
            self._cropper.references = self._opened[gallery]

    @lru_cache(maxsize=512)  # noqa: B019 (there is one of these for the life of the page)
    def thumbnail(self, path: str | None) -> np.ndarray | None:
        """A gallery photo (h, w, 3) uint8, small; None where its file is gone."""
        return read_thumbnail(path, _THUMBNAIL)
