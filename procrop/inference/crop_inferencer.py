"""Crop photos with a trained checkpoint."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
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
    reference_settings,
)
from procrop.inference.checkpoint_pipeline import split_pipeline
from procrop.inference.crop_answer import answer_photo
from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult
from procrop.inference.live_references import ReferenceQuery
from procrop.inference.live_text import PhotoText
from procrop.inference.photo_cropper import PhotoCropper
from procrop.inference.photo_embedding import PhotoEmbedding
from procrop.inference.photo_intake import TakenPhoto
from procrop.inference.seen_photo import rejecting
from procrop.inference.shared_look import SharedLook
from procrop.networks.efficientnet_lite import fold_for_inference
from procrop.registry import MODELS, TRANSFORMS

if TYPE_CHECKING:
    from procrop.models.croppers import PhotoFeatures


class CropInferencer(PhotoCropper):
    """A trained cropper, ready for photos.

    .. code-block:: text

        photo ─► test pipeline ─► embed_photo (image backbone, encoder) ─► PhotoEmbedding        embed
        PhotoEmbedding ─► gallery search (K references), text tokens ─► fusion ─► head
                                                       CropResult ◄─ selection ◄──┘             answer

    The checkpoint is all it takes: it holds the merged config and says which encoder its gallery must come from, and
    which one makes its text tokens. A model without retrieval works the same, with no gallery; so does a model without
    text. A model with components of your own needs the module that registers them to be imported first.

    Args:
        checkpoint: a ``.pth`` file of this project's training, or a ``.safetensors`` file that it published.
        gallery: folder of the gallery to take references from; by default the one of the training, and for a published
            model the one beside it.
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
            reference_settings(parts, loaded, checkpoint),
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
        self._shared_look = SharedLook(self.model, lambda pixels: self._prepare(pixels)["inputs"])
        fold_for_inference(self.model.to(self.device).eval())
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

    @torch.no_grad()
    def _embed(self, taken: TakenPhoto, caption: str | None) -> PhotoEmbedding:
        height, width = taken.pixels.shape[:2]
        name, size = taken.name, (width, height)
        with self._rejecting(name, size):
            text = None if self.text is None else self.text.read(taken.pixels, caption)
            batch = self._prepare(taken.pixels, name, taken.path)
            features = self.model.embed_photo(batch["inputs"], batch["data_samples"])
            query = self._query(taken, batch["inputs"], features)
        return PhotoEmbedding(name, size, taken.pixels, features, batch["data_samples"][0], text, query)

    def _prepare(self, pixels: np.ndarray, name: str = "photo", path: str | None = None) -> dict[str, Any]:
        """A batch of one photo (H, W, 3) uint8 RGB: ``inputs`` (1, 3, h, w) and ``data_samples``."""
        data = self.pipeline(dict(photo=pixels, img_path=path, img_id=name, source_id=name))
        batch = dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])
        return self.model.data_preprocessor(batch, False)

    def _query(
        self, taken: TakenPhoto, inputs: torch.Tensor, features: "PhotoFeatures"
    ) -> ReferenceQuery | None:
        """What galleries are searched with; the photo is looked at for it only if the model's look does not serve."""
        references = self.references
        if references is None:
            return None
        encoder = references.gallery.query_encoder
        known = self._shared_look.embeddings(encoder, taken.pixels, inputs, features)
        return references.embed(taken.pixels, taken.path, embeddings=known)

    def _answer(
        self, embedding: PhotoEmbedding, text: PhotoText | None, request: CropRequest, attention: bool
    ) -> CropResult:
        return answer_photo(self.model, self.references, embedding, text, request, attention)

    def _rejecting(self, name: str, size: tuple[int, int]) -> AbstractContextManager[None]:
        return rejecting(name, size, self.device)
