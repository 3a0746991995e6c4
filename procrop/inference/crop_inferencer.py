"""Crop photos with a trained checkpoint."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from typing import Any

import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.inference.checkpoint_parts import (
    ReferenceSettings,
    live_text,
    pick_device,
    reads_text,
    recorded,
)
from procrop.inference.checkpoint_pipeline import split_pipeline
from procrop.inference.crop_answer import answer_photo
from procrop.inference.crop_request import CropRequest, ReferenceChoice
from procrop.inference.crop_result import CropResult
from procrop.inference.live_text import PhotoText, clean_caption
from procrop.inference.look_ahead import look_ahead
from procrop.inference.photo_embedding import PhotoEmbedding, PhotoRejected, rejecting
from procrop.inference.photo_intake import PHOTO_TYPES, Photo, TakenPhoto, numbered_name, take_photo
from procrop.inference.selection import check_request
from procrop.registry import MODELS, TRANSFORMS


class CropInferencer:
    """A trained cropper, ready for photos.

    .. code-block:: text

        photo ─► test pipeline ─► embed_photo (image backbone, encoder) ─► PhotoEmbedding        embed
        PhotoEmbedding ─► gallery search (K references), text tokens ─► fusion ─► head
                                                       CropResult ◄─ selection ◄──┘             answer

    The checkpoint is all it takes: it holds the merged config and says which encoder its gallery must come from, and
    which one makes its text tokens. A model without retrieval works the same, with no gallery; so does a model without
    text. A model with components of your own needs the module that registers them to be imported first.

    Args:
        checkpoint: a ``.pth`` file of this project's training.
        gallery: folder of the gallery to take references from; by default the one of the training.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …; by default the first GPU if there is one.
        k: references per photo; by default as many as in training.
        query_encoder: a file of ``tools/distill_keys.py``: the gallery is searched with that small encoder, and the
            one that made it is not built.
        text: whether the model's text branch is used. By default it is if there is one: where the checkpoint's text
            encoder writes captions every photo has one, where it writes none the photos with a given caption have.
            True makes a model without text an error; False switches the branch off, and no text encoder is built.
        text_encoder: config ``dict(type=...)`` to build in place of the checkpoint's text encoder, for the same weights
            in another place.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, holds no config, or does not fit its own model.
        GalleryMismatchError: the gallery is missing or was made by another encoder.
        GalleryError: the query encoder was distilled from another gallery, or cannot be read.
        TextMismatchError: the text encoder cannot be made (its weights are missing), or is not that of the training.
        ValueError: an argument cannot be used.

    Example::

        cropper = CropInferencer("work_dirs/quickstart/train/epoch_12.pth")
        for result in cropper(["holiday.jpg", "portrait.png"], top_k=1):
            print(result.path, result.boxes, result.rejected)
        embedding = cropper.embed("holiday.jpg")  # the image backbone runs once
        square = cropper.answer(embedding, CropRequest(ratio="1:1"))
        steered = cropper.answer(embedding, CropRequest(caption="the dog and the boat"))
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        gallery: str | os.PathLike | None = None,
        device: str | None = None,
        k: int | None = None,
        query_encoder: str | os.PathLike | None = None,
        text: bool | None = None,
        text_encoder: Mapping[str, Any] | None = None,
    ) -> None:
        self.checkpoint = os.fspath(checkpoint)
        self.device = pick_device(device)
        loaded = load_checkpoint_file(checkpoint)
        self.cfg = checkpoint_config(loaded, self.checkpoint)
        parts = split_pipeline(self.cfg, self.checkpoint)
        self._settings = ReferenceSettings(
            parts.references,
            recorded(loaded, "retrieval"),
            self.checkpoint,
            str(self.device),
            k,
            query_encoder,
        )
        self.references = self._settings.open(gallery)
        with DefaultScope.overwrite_default_scope("procrop"):
            self.model = MODELS.build(self.cfg.model)
            self.pipeline = Compose([TRANSFORMS.build(step) for step in parts.steps])
        if not hasattr(self.model, "embed_photo"):
            raise ValueError(
                f"{self.checkpoint}: its {type(self.model).__name__} is no cropper: embed_photo and fuse_photo, as "
                "ProCrop has them, are missing"
            )
        load_weights(self.model, loaded, strict=True, name=self.checkpoint)
        self.model.to(self.device).eval()
        trained = recorded(loaded, "text")
        self._reads_text = reads_text(self.model) and (trained or parts.text) is not None
        self.text = live_text(
            self._reads_text, text, trained, text_encoder, self.checkpoint, str(self.device)
        )

    @property
    def num_queries(self) -> int | None:
        """Crops the model predicts per photo, where its head says so."""
        return getattr(getattr(self.model, "bbox_head", None), "num_queries", None)

    def use_gallery(self, folder: str | os.PathLike | None) -> None:
        """Take references from another gallery from now on, for photos that are embedded already too.

        Args:
            folder: the gallery; None takes that of the training.

        Raises:
            GalleryMismatchError: the gallery is missing or was made by another encoder; the one before stays.
            ValueError: the model works without references.
        """
        if self._settings.training is None:
            raise ValueError(f"{self.checkpoint}: this model works without references; leave the gallery out")
        self.references = self._settings.open(folder, before=self.references)

    def embed(
        self,
        photo: Photo,
        path: str | os.PathLike | None = None,
        caption: str | None = None,
        name: str | None = None,
    ) -> PhotoEmbedding:
        """Run the image backbone, and whatever else depends on the photo alone.

        Args:
            photo: a file, an (H, W, 3) uint8 RGB array of an upright photo, or a PIL image.
            path: the file that a photo in memory came from: it becomes the result's path, and keeps a gallery photo
                from being its own reference.
            caption: what the crops are to show; by default what the caption model writes. A request can say otherwise.
            name: path of the result where there is no file.

        Raises:
            PhotoRejected: the photo cannot be read, or cannot be cropped.
            ValueError: the caption is empty, or the model works without text.
        """
        self.check_captions([caption])
        return self._embed(take_photo(photo, path, name), caption)

    @torch.no_grad()
    def _embed(self, taken: TakenPhoto, caption: str | None) -> PhotoEmbedding:
        height, width = taken.pixels.shape[:2]
        name, size = taken.name, (width, height)
        results = dict(photo=taken.pixels, img_path=taken.path, img_id=name, source_id=name)
        with rejecting(name, size, self.device):
            text = None if self.text is None else self.text.read(taken.pixels, caption)
            query = None
            if self.references is not None:
                query = self.references.embed(taken.pixels, taken.path)
            data = self.pipeline(results)
            batch = dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])
            batch = self.model.data_preprocessor(batch, False)
            features = self.model.embed_photo(batch["inputs"], batch["data_samples"])
        return PhotoEmbedding(name, size, taken.pixels, features, batch["data_samples"][0], text, query)

    def answer(
        self, embedding: PhotoEmbedding, request: CropRequest | None = None, attention: bool = False
    ) -> CropResult:
        """Crop an embedded photo; the image backbone does not run.

        Args:
            embedding: of this inferencer's :meth:`embed`.
            request: what is asked for.
            attention: whether to measure what the crops attend to.

        Returns:
            The crops, or a result with ``rejected`` where the photo has none for this request.

        Raises:
            ValueError: as for :meth:`check`.
        """
        request = request or CropRequest()
        self._check_answer(request)
        if request.caption is not None:
            self.check_captions([request.caption])
        try:
            with rejecting(embedding.path, embedding.size, self.device):
                text = self._text(embedding, request.caption)
                return answer_photo(self.model, self.references, embedding, text, request, attention)
        except PhotoRejected as rejection:
            return rejection.result()

    def _text(self, embedding: PhotoEmbedding, caption: str | None) -> PhotoText | None:
        """The text of a request: that of the embedding, unless another caption is given."""
        text = embedding.text
        if caption is None or (text is not None and text.caption == clean_caption(caption)):
            return text
        return self.text.read(embedding.photo, caption)

    def crop(
        self,
        photo: Photo,
        path: str | os.PathLike | None = None,
        top_k: int | None = None,
        name: str | None = None,
        caption: str | None = None,
        request: CropRequest | None = None,
        attention: bool = False,
    ) -> CropResult:
        """Crop one photo.

        Args:
            photo: as for :meth:`embed`.
            path: as for :meth:`embed`.
            top_k: crops, in place of the request's.
            name: as for :meth:`embed`.
            caption: what the crops are to show, in place of the request's.
            request: what is asked for.
            attention: as for :meth:`answer`.

        Returns:
            The crops, or a result with ``rejected``.

        Raises:
            ValueError: as for :meth:`check`.
        """
        request = _merged(request, top_k, caption)
        self.check(request)
        try:
            taken = take_photo(photo, path, name)
        except PhotoRejected as rejection:
            return rejection.result()
        return self._crop(taken, request, attention)

    def _crop(self, taken: TakenPhoto, request: CropRequest, attention: bool = False) -> CropResult:
        try:
            return self.answer(self._embed(taken, request.caption), request, attention)
        except PhotoRejected as rejection:
            return rejection.result()

    def stream(
        self, photos: Iterable[Photo], request: CropRequest | None = None, images: bool = True
    ) -> Iterator[CropResult]:
        """Crop the photos of any iterable, one after the other; the next one is read while one is cropped.

        Args:
            photos: as for :meth:`embed`, mixed at will. A generator is asked for a photo when there is room for it: it
                is at most one ahead of the result in use.
            request: what is asked for.
            images: whether results keep their photo; without it a long list of results takes little memory.

        Returns:
            An iterator over one result per photo, in order. A photo that cannot be read or is too large for the device
            gives a result with ``rejected`` set, and the next one follows. What the iterable raises comes behind the
            results of the photos before. The reading stops with the iterator.

        Raises:
            ValueError: as for :meth:`check`, before any photo.
        """
        request = request or CropRequest()
        self.check(request)
        return self._stream(zip(photos, repeat(request)), images)  # noqa: B905

    def _stream(self, asked: Iterable[tuple[Photo, CropRequest]], images: bool) -> Iterator[CropResult]:
        def take(item: tuple[int, tuple[Photo, CropRequest]]) -> tuple[TakenPhoto | CropResult, CropRequest]:
            number, (photo, request) = item
            try:
                return take_photo(photo, name=numbered_name(photo, number)), request
            except PhotoRejected as rejection:
                return rejection.result(), request

        for taken, request in look_ahead(enumerate(asked), take):
            result = taken if isinstance(taken, CropResult) else self._crop(taken, request)
            yield result if images else replace(result, image=None)

    def __call__(
        self,
        photos: Iterable[Photo] | Photo,
        top_k: int | None = None,
        caption: str | None = None,
        captions: Sequence[str | None] | None = None,
        request: CropRequest | None = None,
        images: bool = True,
    ) -> Iterator[CropResult]:
        """As :meth:`stream`, for one photo too, and with a caption for each.

        Args:
            photos: one photo, or any iterable of them.
            top_k: crops per photo, in place of the request's.
            caption: what the crops are to show, for all photos; by default what the caption model writes.
            captions: the same photo by photo; where one is None, ``caption`` counts.
            request: what is asked for.
            images: as for :meth:`stream`.

        Returns:
            As :meth:`stream`.

        Raises:
            ValueError: as for :meth:`check`, or the numbers of photos and captions differ.
        """
        request = _merged(request, top_k, caption)
        if isinstance(photos, PHOTO_TYPES):
            photos = [photos]
        if captions is None:
            return self.stream(photos, request, images)
        if isinstance(captions, str) or not hasattr(photos, "__len__") or len(captions) != len(photos):
            number = len(photos) if hasattr(photos, "__len__") else "listed"
            raise ValueError(
                f"captions is a list with a caption or None for each of the {number} photos; "
                "caption is one for all of them"
            )
        self._check_answer(request)
        each = [request.caption if own is None else own for own in captions]
        self.check_captions(each if request.caption is None else [request.caption, *each])
        requests = [replace(request, caption=own) for own in each]
        return self._stream(zip(photos, requests, strict=True), images)

    def check(self, request: CropRequest) -> None:
        """Raise a ValueError, before any photo, if the model cannot give what is asked for, or the request contradicts
        itself."""
        self._check_answer(request)
        self.check_captions([request.caption])

    def _check_answer(self, request: CropRequest) -> None:
        check_request(request)
        self.check_top_k(request.top_k)
        if self.references is not None:
            self.references.check(request.references)
        elif request.references != ReferenceChoice():
            raise ValueError(f"{self.checkpoint}: this model works without references; choose none")

    def check_top_k(self, top_k: int) -> None:
        """Raise a ValueError if the model cannot give ``top_k`` crops."""
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        if self.num_queries is not None and top_k > self.num_queries:
            raise ValueError(f"this model predicts {self.num_queries} crops per photo, top_k={top_k} is more")

    def check_captions(self, captions: Iterable[str | None]) -> None:
        """Raise a ValueError if the model cannot take the captions of photos, None where one is to be generated."""
        captions = list(captions)
        given = [caption for caption in captions if caption is not None]
        if self.text is None:
            if given:
                why = "its text is switched off" if self._reads_text else "this model works without text"
                raise ValueError(f"{self.checkpoint}: {why}; leave the caption out")
            return
        for caption in given:
            clean_caption(caption)
        if len(given) < len(captions):
            self.text.writes_captions  # noqa: B018 (missing weights are an error before any photo)


def _merged(request: CropRequest | None, top_k: int | None, caption: str | None) -> CropRequest:
    """A request with what is given beside it in its place."""
    given = dict(top_k=top_k, caption=caption)
    return replace(
        request or CropRequest(), **{key: value for key, value in given.items() if value is not None}
    )
