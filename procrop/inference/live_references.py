"""References of a photo that no neighbour table knows: searched in the gallery when they are asked for."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.structures import InstanceData

from procrop.datasets.transforms.load_references import reference_fields
from procrop.datasets.transforms.pack import pack_references
from procrop.inference.crop_request import ReferenceChoice
from procrop.inference.seen_photo import PhotoRejected
from procrop.io import PHOTO_SUFFIXES, sha256_file
from procrop.io.manifest import MANIFEST_NAME
from procrop.retrieval.own_photos import own_photo_ids

if (
    TYPE_CHECKING
):  # imported when a gallery is opened: a model without references needs neither FAISS nor its friends
    from procrop.retrieval.backbones.base import Embeddings
    from procrop.retrieval.gallery import Gallery


#: what a reference may weigh: each copy costs as much time and memory as a reference
MOST_COPIES = 100


class GalleryMismatchError(ValueError):
    """A gallery that the checkpoint's model cannot read; the message says how to make one that it can."""


@dataclass(frozen=True, eq=False)
class ReferenceQuery:
    """What galleries are searched with for one photo.

    Attributes:
        encoder: fingerprint of the encoder that made the embeddings.
        embeddings: a batch of one.
        path: the photo's file, or None.
        sha256: of that file.
    """

    encoder: str
    embeddings: "Embeddings"
    path: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class FoundReferences:
    """The references of one photo.

    Attributes:
        ids: (n,) int64, each once.
        scores: (n,) float32 similarities.
        weights: (n,) int64, how often each counts, at least once.
        fields: the same as the model takes them, ``CropDataSample.references``, with tokens: one that counts twice is
            there twice.
        notes: what was asked for and could not be.
    """

    ids: np.ndarray
    scores: np.ndarray
    weights: np.ndarray
    fields: InstanceData
    notes: tuple[str, ...] = ()


class LiveReferences:
    """Stands at inference where LoadReferences stood in training, and searches instead of looking up.

    A photo that lies in the gallery itself is never its own reference, nor is anything of its source. It is recognised
    by its place and by its content (SHA-256 of the file), so a copy under another name is too.

    Args:
        gallery: the open gallery.
        k: references per photo where a request does not say.
        what: "image", "annotation" or "both", as in training.
        device: where the encoder runs.
        query_encoder: a distilled encoder to search with in place of the gallery's own, which is then not built.
    """

    def __init__(
        self,
        gallery: "Gallery",
        k: int,
        what: str = "image",
        device: str = "cpu",
        query_encoder: str | os.PathLike | None = None,
    ) -> None:
        check_count(k)
        self.gallery, self.k, self.what = gallery, k, what
        self._rows: dict[str, int] | None = None
        # made now: an encoder that does not fit is an error before any photo
        if query_encoder is None:
            self.gallery.backbone(device)
        else:
            self.gallery.use_query_encoder(query_encoder, device)
        self.encoder = self.gallery.query_encoder.fingerprint

    def embed(
        self,
        photo: np.ndarray,
        path: str | None = None,
        sha256: str | None = None,
        embeddings: "Embeddings | None" = None,
    ) -> ReferenceQuery:
        """Encode a photo (H, W, 3) uint8 RGB for the search.

        Args:
            photo: the photo.
            path: its file, by which it is recognised in galleries.
            sha256: of that file, where it is known; the file is then not read.
            embeddings: what the encoder says about the photo, where it is known; the encoder then does not run.

        Raises:
            PhotoRejected: the file cannot be read any more, so nothing tells whether the gallery holds it.
        """
        if path is not None and sha256 is None:
            try:
                sha256 = sha256_file(path)
            except OSError as error:
                reason = f"the file cannot be read any more ({error.strerror})"
                raise PhotoRejected(path, reason, photo.shape[1::-1]) from error
        if embeddings is None:
            embeddings = self.gallery.query_encoder.encode([photo])
        return ReferenceQuery(self.encoder, embeddings, path, sha256)

    def check(self, choice: ReferenceChoice) -> None:
        """Raise a ValueError if the choice contradicts itself or names a photo that the gallery does not hold."""
        slots = self.k if choice.k is None else choice.k
        check_count(slots)
        for field in ("pinned", "banned"):
            if isinstance(getattr(choice, field), str):
                name = getattr(choice, field)
                raise ValueError(f"{field} is a tuple of names, got {name!r}; write ({name!r},)")
        for name in (*choice.pinned, *choice.banned, *choice.weights):
            self._id(name)
        if len(choice.pinned) > slots:
            raise ValueError(
                f"{len(choice.pinned)} references are pinned, but k={slots}; pin fewer, or raise k"
            )
        both = [name for name in choice.pinned if name in choice.banned]
        if both:
            raise ValueError(f"{both[0]!r} is pinned and banned; choose one of them")
        for name, weight in choice.weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= MOST_COPIES:
                raise ValueError(
                    f"the weight of {name!r} is how often it counts, a whole number from 0 to {MOST_COPIES}; got "
                    f"{weight!r}"
                )

    def find(self, query: ReferenceQuery, choice: ReferenceChoice) -> FoundReferences:
        """The pinned references, then the nearest.

        Args:
            query: of :meth:`embed`, of this gallery or another one of the same encoder.
            choice: how many and which, see :class:`ReferenceChoice`.

        Raises:
            ValueError: as for :meth:`check`.
        """
        from procrop.retrieval.query_encoder import indexed_keys, similarities

        self.check(choice)
        slots = self.k if choice.k is None else choice.k
        keys = indexed_keys(self.gallery, query.embeddings)
        own = self._own_ids(query)
        pinned = self._ids(choice.pinned)
        notes = tuple(
            f"{self.gallery.names[i]} is not pinned: it is the photo itself, or of its source"
            for i in pinned[np.isin(pinned, own)]
        )
        pinned = pinned[~np.isin(pinned, own)]
        left_out = np.concatenate([own, pinned, self._ids(choice.banned)])
        near, near_scores = self.gallery.index.search(keys, slots - len(pinned), left_out)
        ids = np.concatenate([pinned, near[0]])
        scores = np.concatenate([similarities(self.gallery, keys, pinned)[0], near_scores[0]])
        weights = np.ones(len(ids), dtype=np.int64)
        for name, weight in choice.weights.items():
            weights[ids == self._id(name)] = weight
        slots = max(slots, int(weights.sum()))
        copies = np.repeat(ids, weights), np.repeat(scores, weights)
        fields = pack_references(reference_fields(self.gallery, *copies, slots, self.what))
        counts = weights > 0
        return FoundReferences(ids[counts], scores[counts], weights[counts], fields, notes)

    def _own_ids(self, query: ReferenceQuery) -> np.ndarray:
        """Ids (n,) int64 of the gallery photos that are the photo itself or of its source."""
        if query.path is None:
            return np.zeros(0, dtype=np.int64)
        return own_photo_ids(self.gallery, query.path, query.sha256)

    def _ids(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self._id(name) for name in dict.fromkeys(names)], dtype=np.int64)

    def _id(self, name: str) -> int:
        if self._rows is None:
            self._rows = {known: row for row, known in enumerate(self.gallery.names)}
        row = self._rows.get(name)
        if row is None:
            near = get_close_matches(str(name), self._rows, 3, 0.5)
            remedy = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"its photos are named like {self.gallery.names[0]}"
            )
            raise ValueError(f"{self.gallery.folder}: no photo {name!r} in this gallery; {remedy}")
        return row


def check_count(k: int) -> None:
    """Raise a ValueError if ``k`` is no number of references."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ValueError(f"k, the number of references, must be a whole number of at least 1, got {k!r}")


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
        seen_from = "" if Path(folder).is_absolute() else f" in {Path.cwd()}"
        remedy = f"name the gallery where it is, or {_remedy(folder, checkpoint)}"
        raise GalleryMismatchError(f"{folder}: no such gallery{seen_from}; {remedy}")
    if not (Path(folder) / MANIFEST_NAME).exists() and _holds_a_photo(Path(folder)):
        remedy = _remedy(f"{os.fspath(folder).rstrip('/')}_gallery", checkpoint, folder)
        raise GalleryMismatchError(f"{folder}: a folder of photos, and no gallery of them yet; {remedy}")
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


def _remedy(folder: str | os.PathLike, checkpoint: str, photos: str | os.PathLike | None = None) -> str:
    """The command that makes a gallery for a model: what it was trained with is in its checkpoint."""
    words = ["procrop", "gallery", "build", folder, "--photos", photos or "PHOTOS", "--retrieval", checkpoint]
    return f"make the right one: {shlex.join(map(os.fspath, words))}"


def _holds_a_photo(folder: Path) -> bool:
    names = (name for _, _, files in os.walk(folder) for name in files)
    return any(os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES for name in names)
