"""Crop photos with a trained checkpoint."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.inference.checkpoint_pipeline import split_pipeline
from procrop.inference.crop_result import CropResult, Reference
from procrop.inference.live_references import LiveReferences, open_gallery
from procrop.inference.live_text import LiveText, NotFiniteError, PhotoText, clean_caption, open_text
from procrop.io import PhotoError, read_photo
from procrop.registry import MODELS, TRANSFORMS
from procrop.structures import CropDataSample

Photo = str | os.PathLike | np.ndarray


class CropInferencer:
    """A trained cropper, ready for photos.

    .. code-block:: text

        photo ─► LoadPhoto ─► gallery search (K references) ─► rest of the test pipeline ─► model ─► CropResult
          └────► caption, given or generated ─► text tokens ─────────┘

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
        (steered,) = cropper("holiday.jpg", caption="the dog and the boat")
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
        self.device = _pick_device(device)
        loaded = load_checkpoint_file(checkpoint)
        self.cfg = checkpoint_config(loaded, self.checkpoint)
        parts = split_pipeline(self.cfg, self.checkpoint)
        self.references = _live_references(
            parts.references, gallery, k, loaded, self.checkpoint, str(self.device), query_encoder
        )
        with DefaultScope.overwrite_default_scope("procrop"):
            self.model = MODELS.build(self.cfg.model)
            built = [TRANSFORMS.build(step) for step in parts.steps]
        if self.references is not None:
            kinds = [type(step).__name__ for step in built]
            built.insert(
                kinds.index("LoadPhoto") + 1, self.references
            )  # it searches with the photo as loaded
        self.pipeline = Compose(built)
        load_weights(self.model, loaded, strict=True, name=self.checkpoint)
        self.model.to(self.device).eval()
        trained = _recorded(loaded, "text")
        self._reads_text = _reads_text(self.model) and (trained or parts.text) is not None
        self.text = self._live_text(text, trained, text_encoder)

    @property
    def num_queries(self) -> int | None:
        """Crops the model predicts per photo, where its head says so."""
        return getattr(getattr(self.model, "bbox_head", None), "num_queries", None)

    def __call__(
        self,
        photos: Sequence[Photo] | Photo,
        top_k: int = 3,
        caption: str | None = None,
        captions: Sequence[str | None] | None = None,
    ) -> Iterator[CropResult]:
        """Crop photos one after the other; each result comes as soon as it is there.

        Args:
            photos: files, or (H, W, 3) uint8 RGB arrays of upright photos, or one of them.
            top_k: crops per photo.
            caption: what the crops are to show, for all photos; by default what the caption model writes.
            captions: the same photo by photo; where one is None, ``caption`` counts.

        Returns:
            An iterator over one result per photo, in order. A photo that cannot be read or is too large for the
            device gives a result with ``rejected`` set, and the next one follows.

        Raises:
            ValueError: ``top_k`` is below 1 or above what the model predicts, a caption is empty or meets a model
                without text, or the numbers of photos and captions differ.
        """
        self.check_top_k(top_k)
        if isinstance(photos, str | os.PathLike | np.ndarray):
            photos = [photos]
        if captions is None:
            self.check_captions([caption])
            return self._results(zip(photos, repeat(caption)), top_k)  # noqa: B905
        if isinstance(captions, str) or len(captions) != len(photos):
            raise ValueError(
                f"captions is a list with a caption or None for each of the {len(photos)} photos; "
                "caption is one for all of them"
            )
        each = [caption if own is None else own for own in captions]
        self.check_captions(each if caption is None else [caption, *each])
        return self._results(zip(photos, each, strict=True), top_k)

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

    def _results(self, photos: Iterable[tuple[Photo, str | None]], top_k: int) -> Iterator[CropResult]:
        for number, (photo, caption) in enumerate(photos):
            if isinstance(photo, np.ndarray):
                yield self.crop(photo, None, top_k, f"array {number}", caption)
                continue
            try:
                pixels = read_photo(photo)
            except PhotoError as error:
                yield CropResult(os.fspath(photo), rejected=error.reason)
                continue
            yield self.crop(pixels, photo, top_k, caption=caption)

    @torch.no_grad()
    def crop(
        self,
        photo: np.ndarray,
        path: str | os.PathLike | None = None,
        top_k: int = 3,
        name: str = "array",
        caption: str | None = None,
    ) -> CropResult:
        """Crop one photo that is already in memory.

        Args:
            photo: (H, W, 3) uint8 RGB, upright.
            path: the file it came from: it becomes the result's path, and keeps a gallery photo from being its own
                reference.
            top_k: crops.
            name: path of the result where there is no file.
            caption: what the crops are to show; by default what the caption model writes.

        Raises:
            ValueError: the caption is empty, or the model works without text.
        """
        self.check_captions([caption])
        name = name if path is None else os.fspath(path)
        fault = _fault(photo)
        if fault:
            return CropResult(name, rejected=fault)
        height, width = photo.shape[:2]
        results = dict(photo=photo, img_path=None if path is None else name, img_id=name, source_id=name)
        try:
            text = None if self.text is None else self.text.read(photo, caption)
            sample = self._predict(results, text)
        except cv2.error:  # a side that rounds to no pixel at the model's input size
            return CropResult(
                name, (width, height), rejected=f"{width} x {height} pixels are too narrow a strip"
            )
        except NotFiniteError as error:
            return CropResult(name, (width, height), rejected=str(error))
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            reason = f"{width} x {height} pixels are too many for the memory of {self.device}"
            return CropResult(name, (width, height), rejected=reason)
        boxes, scores = _best(sample, (width, height), top_k)
        if not len(boxes):
            return CropResult(
                name, (width, height), rejected="the model gave no usable crop (NaN or no area)"
            )
        said = {} if text is None else dict(caption=text.caption, caption_source=text.source)
        return CropResult(name, (width, height), boxes, scores, self._used(sample), **said)

    def _predict(self, results: dict[str, Any], text: PhotoText | None) -> CropDataSample:
        """The model's answer for one photo, given as a pipeline takes it."""
        if text is not None:  # the keys of LoadTextTokens
            results = {**results, "caption": text.caption, "text_tokens": text.tokens}
        data = self.pipeline(results)
        batch = {"inputs": [data["inputs"]], "data_samples": [data["data_samples"]]}
        return self.model.test_step(batch)[0]

    def _live_text(
        self, wanted: bool | None, trained: Mapping[str, Any] | None, encoder: Mapping[str, Any] | None
    ) -> LiveText | None:
        if not self._reads_text:
            for given, what in ((wanted, "text=True"), (encoder is not None, "the text encoder")):
                if given:
                    raise ValueError(f"{self.checkpoint}: this model works without text; leave {what} out")
            return None
        if wanted is False:
            if encoder is not None:
                raise ValueError(
                    "text=False switches the text off; leave the text encoder out, or text=False"
                )
            return None
        return open_text(trained, encoder, self.checkpoint, str(self.device))

    def _used(self, sample: CropDataSample) -> list[Reference]:
        """List the references that the model saw."""
        if self.references is None or "references" not in sample:
            return []
        gallery, seen = self.references.gallery, sample.references
        present = ~seen.mask.cpu().numpy()
        ids, scores = seen.ids.cpu().numpy()[present], seen.scores.cpu().numpy()[present]
        return [
            Reference(int(i), str(gallery.names[i]), float(score), os.fspath(gallery.photo_path(int(i))))
            for i, score in zip(ids, scores, strict=True)
        ]


def _pick_device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{name!r} is no device; use cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"there is no device {name!r}: {torch.cuda.device_count()} GPUs can be used; leave the device out"
        )
    return device


def _live_references(
    settings: Mapping[str, Any] | None,
    gallery: str | os.PathLike | None,
    k: int | None,
    loaded: Mapping[str, Any],
    checkpoint: str,
    device: str,
    query_encoder: str | os.PathLike | None,
) -> LiveReferences | None:
    if settings is None:
        for given, what in ((gallery, "gallery"), (query_encoder, "query encoder")):
            if given is not None:
                raise ValueError(f"{checkpoint}: this model works without references; leave the {what} out")
        return None
    folder = settings["gallery"] if gallery is None else gallery
    opened = open_gallery(folder, _recorded(loaded, "retrieval"), checkpoint)
    k = settings.get("k", 10) if k is None else k
    return LiveReferences(opened, folder, k, settings.get("what", "image"), device, query_encoder)


def _recorded(loaded: Mapping[str, Any], what: str) -> Mapping[str, Any] | None:
    """What a checkpoint records of the encoder of its training's references or text."""
    own = (loaded.get("meta") or {}).get("procrop") or {}
    return own.get(what)


def _reads_text(model: torch.nn.Module) -> bool:
    """Whether text would reach anything: a cropper with named contexts has to have one for it."""
    contexts = getattr(model, "context_encoders", None)
    return contexts is None or "text_tokens" in contexts


def _fault(photo: np.ndarray) -> str | None:
    """Say why an array cannot be a photo, if it cannot."""
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        return f"a photo in memory is an (H, W, 3) uint8 RGB array, this is {photo.dtype} {photo.shape}"
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # torch raises a type of its own on a GPU, and a plain RuntimeError on a CPU
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "allocate memory" in str(error)


def _best(sample: CropDataSample, size: tuple[int, int], top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``top_k`` crops with finite numbers and an area, clipped to the photo: (n, 4) and (n,) float64."""
    boxes = sample.pred_instances.bboxes.detach().cpu().numpy().astype(np.float64)
    scores = sample.pred_instances.scores.detach().cpu().numpy().astype(np.float64)
    boxes = np.clip(boxes, 0, [*size, *size])
    good = np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    boxes, scores = boxes[good], scores[good]
    order = np.argsort(-scores, kind="stable")[:top_k]
    return boxes[order], scores[order]
