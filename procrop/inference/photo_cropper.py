"""What a cropper offers to people, however its model is run."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

from procrop.inference.crop_request import CropRequest, ReferenceChoice
from procrop.inference.crop_result import CropResult
from procrop.inference.look_ahead import look_ahead
from procrop.inference.photo_intake import Photo, TakenPhoto, each_photo, numbered_name, take_photo
from procrop.inference.seen_photo import PhotoRejected, SeenPhoto
from procrop.inference.selection import check_request

if TYPE_CHECKING:  # a model without references or text needs neither torch nor what they are made with
    from procrop.inference.live_references import LiveReferences
    from procrop.inference.live_text import LiveText, PhotoText


class PhotoCropper(ABC):
    """Photos in, crops out; nothing here imports torch.

    Attributes:
        checkpoint: the model's file or folder, for messages.
        references: the gallery that is searched; None for a model without references.
        text: the text encoder; None for a model without text, or where text is switched off.
    """

    checkpoint: str
    references: "LiveReferences | None"
    text: "LiveText | None"
    _reads_text: bool

    @property
    @abstractmethod
    def num_queries(self) -> int | None:
        """Crops the model predicts per photo, where its head says so."""

    @abstractmethod
    def _embed(self, taken: TakenPhoto, caption: str | None) -> SeenPhoto:
        """What depends on the photo alone."""

    @abstractmethod
    def _answer(
        self, embedding: SeenPhoto, text: "PhotoText | None", request: CropRequest, attention: bool
    ) -> CropResult:
        """The crops of an embedded photo with the text that the model is to see."""

    @abstractmethod
    def _rejecting(self, name: str, size: tuple[int, int]) -> AbstractContextManager[None]:
        """Turns what a photo's content or size makes go wrong into a :class:`PhotoRejected`."""

    def embed(
        self,
        photo: Photo,
        path: str | os.PathLike | None = None,
        caption: str | None = None,
        name: str | None = None,
    ) -> SeenPhoto:
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

    def answer(
        self, embedding: SeenPhoto, request: CropRequest | None = None, attention: bool = False
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
            with self._rejecting(embedding.path, embedding.size):
                text = self._text(embedding, request.caption)
                return self._answer(embedding, text, request, attention)
        except PhotoRejected as rejection:
            return rejection.result()

    def _text(self, embedding: SeenPhoto, caption: str | None) -> "PhotoText | None":
        """The text of a request: that of the embedding, unless another caption is given."""
        text = embedding.text
        if caption is None or (text is not None and text.caption == " ".join(caption.split())):
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
        return self._stream(zip(each_photo(photos), repeat(request)), images)  # noqa: B905

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
        photos = each_photo(photos)
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
        if given:
            from procrop.inference.live_text import clean_caption

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
