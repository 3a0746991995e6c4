"""The parts that a checkpoint asks for: a device, a gallery, a text encoder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from procrop.inference.checkpoint_pipeline import CheckpointPipeline
from procrop.inference.live_references import LiveReferences, open_gallery
from procrop.inference.live_text import LiveText, open_text


def pick_device(name: str | None) -> torch.device:
    """The device of a name; None takes the first GPU if there is one.

    Raises:
        ValueError: there is no such device.
    """
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


def recorded(loaded: Mapping[str, Any], what: str) -> Any:  # noqa: ANN401 (whatever the file holds)
    """What a checkpoint records of the encoder of its training's ``"retrieval"`` or ``"text"``, and the like."""
    own = (loaded.get("meta") or {}).get("procrop") or {}
    return own.get(what)


def reference_settings(
    parts: CheckpointPipeline, loaded: Mapping[str, Any], checkpoint: str | os.PathLike
) -> dict[str, Any] | None:
    """Settings of LoadReferences for a checkpoint's model; None for a model without references.

    A published checkpoint has its gallery beside it, which stands in place of that of the training.
    """
    beside = recorded(loaded, "gallery")
    if parts.references is None or beside is None:
        return parts.references
    return dict(parts.references, gallery=os.fspath(Path(checkpoint).resolve().parent / beside))


@dataclass(frozen=True)
class ReferenceSettings:
    """How references are searched for a checkpoint's model, whatever the gallery.

    Attributes:
        training: settings of LoadReferences in the training; None for a model without references.
        encoder: what the checkpoint records of the gallery's encoder, if it does.
        checkpoint: the checkpoint's file, for messages.
        device: where the encoder runs.
        k: references per photo; None takes that of the training.
        query_encoder: file of a distilled encoder to search with.
    """

    training: Mapping[str, Any] | None
    encoder: Mapping[str, Any] | None
    checkpoint: str
    device: str
    k: int | None = None
    query_encoder: str | os.PathLike | None = None

    def open(
        self, folder: str | os.PathLike | None, before: LiveReferences | None = None
    ) -> LiveReferences | None:
        """Open a gallery for the model.

        Args:
            folder: the gallery; None takes that of the training.
            before: what was open before: its encoder is taken over where it is the right one.

        Returns:
            None for a model without references.

        Raises:
            GalleryMismatchError: the gallery is missing or was made by another encoder.
            GalleryError: the query encoder does not belong to it.
            ValueError: the model works without references.
        """
        if self.training is None:
            for given, what in ((folder, "gallery"), (self.query_encoder, "query encoder")):
                if given is not None:
                    raise ValueError(
                        f"{self.checkpoint}: this model works without references; leave the {what} out"
                    )
            return None
        folder = self.training["gallery"] if folder is None else folder
        gallery = open_gallery(folder, self.encoder, self.checkpoint)
        if before is not None:
            gallery.take_encoder_of(before.gallery)
        k = self.training.get("k", 10) if self.k is None else self.k
        what = self.training.get("what", "image")
        return LiveReferences(gallery, k, what, self.device, self.query_encoder)


def reads_text(model: torch.nn.Module) -> bool:
    """Whether text would reach anything: a cropper with named contexts has to have one for it."""
    contexts = getattr(model, "context_encoders", None)
    return contexts is None or "text_tokens" in contexts


def live_text(
    readable: bool,
    wanted: bool | None,
    trained: Mapping[str, Any] | None,
    encoder: Mapping[str, Any] | None,
    checkpoint: str,
    device: str,
) -> LiveText | None:
    """The text encoder of a checkpoint's model, if it is to have one.

    Args:
        readable: whether the model reads text.
        wanted: whether it is to; None: if it does.
        trained: what the checkpoint records of its text encoder.
        encoder: config of one to build in its place.
        checkpoint: the checkpoint's file, for messages.
        device: where the encoder runs.

    Raises:
        TextMismatchError: the encoder cannot be made, or is not that of the training.
        ValueError: what is wanted contradicts itself or the model.
    """
    if not readable:
        for given, what in ((wanted, "text=True"), (encoder is not None, "the text encoder")):
            if given:
                raise ValueError(f"{checkpoint}: this model works without text; leave {what} out")
        return None
    if wanted is False:
        if encoder is not None:
            raise ValueError("text=False switches the text off; leave the text encoder out, or text=False")
        return None
    return open_text(trained, encoder, checkpoint, device)
