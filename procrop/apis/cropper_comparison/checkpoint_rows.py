"""Rows of trained models: with the references they find, with none, with random ones."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.inference.one_call import find_model
from procrop.io import sha256_file
from procrop.retrieval.own_photos import own_photo_ids

from .cropper_row import COUNT, ComparedPhoto, CropperRow, Predictor, RowCrops

if TYPE_CHECKING:
    from procrop.inference import CropRequest, CropResult
    from procrop.inference.photo_embedding import PhotoEmbedding

_VERSION = 1
#: endings of the names of rows in which a model gets other references than it would find
NONE, RANDOM = "no_references", "random_references"


def checkpoint_rows(
    name: str, checkpoint: str, gallery: str | None = None, controls: bool = False, seed: int = 0
) -> list[CropperRow]:
    """The row of a model and, with ``controls``, its rows without references and with random ones.

    No photo gets a reference that is the photo itself or of its source. Random references are as many as the model
    takes, drawn anew for each photo and fixed by seed and name, and carry their true similarity to it.

    Args:
        name: of the first row; those of the others begin with it.
        checkpoint: file, or name of ``procrop models list``.
        gallery: folder; None takes that of the model. Passed over where the model works without references.
        controls: add the other rows, if the model has references.
        seed: of the random references.

    Raises:
        ValueError: The model or its gallery cannot be found or used.
    """
    file, own_gallery = find_model(checkpoint, gallery)
    settings, folder = _references(file, own_gallery)
    recipe: dict[str, Any] = {"kind": "checkpoint", "checkpoint": sha256_file(file), "version": _VERSION}
    if settings is not None:
        recipe |= {"gallery": _gallery_digest(folder), "k": settings.get("k", 10)}

    @lru_cache(maxsize=1)
    def model() -> _Model:
        return _Model(file, folder)

    def row(full: str, kind: str, choose: Callable[["_Model"], Predictor], about: str) -> CropperRow:
        own = recipe | {"references": kind} | ({"seed": seed} if kind == "random" else {})
        return CropperRow(full, own, lambda: choose(model()), about)

    about = "trained model" + ("" if settings is None else ", references retrieved")
    rows = [row(name, "retrieved", lambda m: m.retrieved, about)]
    if controls and settings is not None:
        rows.append(row(f"{name}_{NONE}", "none", lambda m: m.masked, f"{name}, no references"))
        drawn = f"{name}, random photos of its gallery for references"
        rows.append(row(f"{name}_{RANDOM}", "random", lambda m: lambda photo: m.random(photo, seed), drawn))
    return rows


def _references(file: Path, gallery: Path | None) -> tuple[Any, Path | None]:
    """Settings of a checkpoint's references and the gallery to use; None and None for a model without."""
    from procrop.engine.checkpoint import load_checkpoint_file
    from procrop.engine.config_text import checkpoint_config
    from procrop.inference.checkpoint_parts import reference_settings
    from procrop.inference.checkpoint_pipeline import split_pipeline

    loaded = load_checkpoint_file(file)
    parts = split_pipeline(checkpoint_config(loaded, str(file)), str(file))
    settings = reference_settings(parts, loaded, file)
    return settings, None if settings is None else Path(gallery or settings["gallery"])


def _gallery_digest(folder: Path) -> str:
    from procrop.io.manifest import MANIFEST_NAME

    manifest = folder / MANIFEST_NAME
    if not manifest.is_file():
        raise ValueError(f"{folder}: no such gallery; name the model's with --gallery")
    return sha256_file(manifest)


class _Model:
    """A loaded model; a photo passes its backbone once for all rows."""

    def __init__(self, file: Path, gallery: Path | None) -> None:
        from procrop.inference import CropInferencer

        self.cropper = CropInferencer(file, gallery)
        self._embed = lru_cache(maxsize=1)(lambda path: self.cropper.embed(path))
        self.count = min(COUNT, self.cropper.num_queries or COUNT)

    def retrieved(self, photo: ComparedPhoto) -> RowCrops:
        """With the references that are found."""
        request = self._request()
        if self.cropper.references is not None:
            gallery = self.cropper.references.gallery
            banned = tuple(gallery.names[i] for i in gallery.ids_of([photo.record.source_id]))
            request = self._request(banned=banned)
        return _said(self.cropper.answer(self._embed(photo.path), request))

    def masked(self, photo: ComparedPhoto) -> RowCrops:
        """With no reference."""
        from procrop.inference.crop_answer import answer_photo

        embedding: PhotoEmbedding = self._embed(photo.path)
        return _said(answer_photo(self.cropper.model, None, embedding, embedding.text, self._request()))

    def random(self, photo: ComparedPhoto, seed: int) -> RowCrops:
        """With random references."""
        references = self.cropper.references
        gallery, embedding = references.gallery, self._embed(photo.path)
        own = own_photo_ids(gallery, photo.path, embedding.query.sha256)
        own = np.union1d(own, gallery.ids_of([photo.record.source_id]))
        others = np.setdiff1d(np.arange(len(gallery)), own)
        name = zlib.crc32(photo.record.img_id.encode("utf-8", "surrogateescape"))
        drawn = np.random.default_rng((seed, name)).permutation(others)[: references.k]
        pinned = tuple(gallery.names[i] for i in drawn)
        return _said(self.cropper.answer(embedding, self._request(pinned=pinned, k=max(1, len(pinned)))))

    def _request(self, **references: Any) -> "CropRequest":  # noqa: ANN401
        from procrop.inference import CropRequest, ReferenceChoice

        return CropRequest(top_k=self.count, references=ReferenceChoice(**references))


def _said(result: "CropResult") -> RowCrops:
    if result.rejected is not None:
        raise ValueError(result.rejected)
    references = tuple((reference.name, reference.path) for reference in result.references)
    return RowCrops(result.boxes, result.scores, references)
