"""References of a photo that no neighbour table knows: searched in the gallery when the photo comes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.datasets.transforms import LoadReferences
from procrop.retrieval.own_photos import own_photo_ids

if (
    TYPE_CHECKING
):  # imported when a gallery is opened: a model without references needs neither FAISS nor its friends
    from procrop.retrieval.gallery import Gallery


class GalleryMismatchError(ValueError):
    """A gallery that the checkpoint's model cannot read; the message says how to make one that it can."""


class LiveReferences(LoadReferences):
    """Stands in a pipeline where LoadReferences stood in training, and searches instead of looking up.

    A photo that lies in the gallery itself is never its own reference, nor is anything of its source. It is recognised
    by its place and by its content (SHA-256 of the file), so a copy under another name is too.

    Required keys: ``img`` (H, W, 3) uint8 RGB as LoadPhoto leaves it, ``img_path``.

    Added keys: those of LoadReferences.

    Args:
        gallery: the open gallery.
        folder: its folder, for messages.
        k: references per photo.
        what: "image", "annotation" or "both", as in training.
        device: where the encoder runs.
        query_encoder: a distilled encoder to search with in place of the gallery's own, which is then not built.
    """

    def __init__(
        self,
        gallery: "Gallery",
        folder: str | os.PathLike,
        k: int,
        what: str = "image",
        device: str = "cpu",
        query_encoder: str | os.PathLike | None = None,
    ) -> None:
        super().__init__(gallery=os.fspath(folder), table="searched live", k=k, what=what)
        self.gallery = gallery
        # made now: an encoder that does not fit is an error before any photo
        if query_encoder is None:
            self.gallery.backbone(device)
        else:
            self.gallery.use_query_encoder(query_encoder, device)
        self._found = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)

    def transform(self, results: dict) -> dict:
        """Search the photo's neighbours and add them to the sample."""
        keys = self.gallery.query_keys([results["img"]])
        ids, scores = self.gallery.search_keys(keys, self.k, self._own_ids(results["img_path"]))
        self._found = ids[0], scores[0]
        return super().transform(results)

    def lookup(self, query_id: str, k: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ARG002
        """Answer as a neighbour table would: ids (<= k,) int64 and scores float32 of the photo just searched."""
        return self._found[0][:k], self._found[1][:k]

    def _open(self) -> tuple[Any, Any]:
        return self.gallery, self

    def _own_ids(self, path: str | None) -> np.ndarray:
        """Ids (n,) int64 of the gallery photos that are the photo itself or of its source."""
        return np.zeros(0, dtype=np.int64) if path is None else own_photo_ids(self.gallery, path)


def open_gallery(folder: str | os.PathLike, trained: Mapping[str, Any] | None, checkpoint: str) -> "Gallery":
    """Open a gallery for a checkpoint's model.

    Args:
        folder: the gallery's folder.
        trained: ``fingerprint`` and ``token_shape`` of the gallery that the model was trained with, as its
            checkpoint records them; None when it does not.
        checkpoint: the checkpoint's file, for messages.

    Raises:
        GalleryMismatchError: the gallery is missing, or was made by another encoder than the training's.
    """
    from procrop.retrieval.gallery import Gallery

    if not Path(folder).is_dir():
        raise GalleryMismatchError(f"{folder}: no such gallery; {_remedy(folder, checkpoint)}")
    gallery = Gallery.open(folder)
    if not trained:
        return gallery
    shape = trained.get("token_shape")
    wanted = tuple(shape) if shape else None
    found = tuple(gallery.token_shape) if gallery.token_shape else None
    if trained.get("fingerprint") != gallery.fingerprint or wanted != found:
        raise GalleryMismatchError(
            f"{folder}: made by another encoder (fingerprint {str(gallery.fingerprint)[:12]}, tokens {found}) than "
            f"the one {checkpoint} was trained with (fingerprint {str(trained.get('fingerprint'))[:12]}, tokens "
            f"{wanted}); {_remedy(folder, checkpoint)}"
        )
    return gallery


def _remedy(folder: str | os.PathLike, checkpoint: str) -> str:
    # a training leaves its merged config beside its checkpoints
    beside = [path for path in sorted(Path(checkpoint).parent.glob("*.py")) if _holds_retrieval(path)]
    config = str(beside[0]) if beside else "CONFIG"
    text = f"make the right one: python tools/gallery.py build {folder} --photos PHOTOS --retrieval {config}"
    return text if beside else f"{text}, with CONFIG the config of the training"


def _holds_retrieval(path: Path) -> bool:
    return any(line.startswith("retrieval = ") for line in path.read_text(errors="replace").splitlines())
