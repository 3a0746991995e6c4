"""Text of a photo that no text folder knows: captioned and encoded when the photo comes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.datasets.text.text_format import NOT_FINITE
from procrop.engine.config_validation.signatures import accepted_keys
from procrop.inference.seen_photo import NotFiniteError
from procrop.io.unicode import check_unicode
from procrop.registry import TEXT_ENCODERS

if TYPE_CHECKING:  # a model without text needs no text encoder
    from procrop.models.text import TextEncoder

_REMEDY = (
    "name a config whose `text_encoder` says where the weights are (text_encoder=..., --text-encoder CONFIG), or go "
    "without text (text=False, --no-text)"
)


class TextMismatchError(ValueError):
    """A text encoder that cannot be made, or that the checkpoint's model cannot read; the message has the remedy."""


@dataclass(frozen=True, eq=False)
class PhotoText:
    """The text of one photo.

    Attributes:
        caption: what was encoded, with single spaces.
        source: "given", or "generated" by the encoder's caption model.
        tokens: (m', d_t) float16, the tokens of photo and caption, without padding.
    """

    caption: str
    source: str
    tokens: np.ndarray


class LiveText:
    """Makes what LoadTextTokens reads from a text folder in training.

    Args:
        encoder: writes the captions that are not given, if it can, and makes the tokens.
        checkpoint: the checkpoint's file, for messages.
    """

    def __init__(self, encoder: "TextEncoder", checkpoint: str) -> None:
        self.encoder = encoder
        self.checkpoint = checkpoint

    @cached_property
    def writes_captions(self) -> bool:
        """Whether a photo without a given caption has text; asked only when there is one, because a caption model may
        read its weights now.

        Raises:
            TextMismatchError: they cannot be read.
        """
        with _made(self.checkpoint, type(self.encoder).__name__):
            return self.encoder.caption_fingerprint is not None

    def read(self, photo: np.ndarray, caption: str | None = None) -> PhotoText | None:
        """Caption and tokens of a photo.

        Args:
            photo: (H, W, 3) uint8 RGB, upright.
            caption: what to encode; the photo is not captioned then. None has the caption generated.

        Returns:
            None for a photo without text: no caption is given, and the encoder writes none or found no words.

        Raises:
            ValueError: the given caption is empty.
            NotFiniteError: the encoder's numbers leave float16 for this photo.
        """
        given = caption is not None
        if given:
            caption = clean_caption(caption)
        elif not self.writes_captions:
            return None
        if not given or self.encoder.needs_photo:
            photo = self.encoder.prepare(photo)
        if not given:
            caption = " ".join(self.encoder.caption([photo])[0].split())
            if not caption:
                return None
        (tokens,) = self.encoder.encode([photo if self.encoder.needs_photo else None], [caption])
        if not np.isfinite(tokens).all():
            raise NotFiniteError(NOT_FINITE)
        return PhotoText(caption, "given" if given else "generated", tokens)


def clean_caption(caption: str) -> str:
    """A caption with single spaces.

    Raises:
        ValueError: it is empty, or no Unicode text.
    """
    if not isinstance(caption, str):
        raise ValueError(f"a caption is a text, not {type(caption).__name__}")
    cleaned = " ".join(caption.split())
    if not cleaned:
        raise ValueError("the caption is empty: write one, or leave it out")
    return check_unicode(cleaned)


def open_text(
    trained: Mapping[str, Any] | None,
    encoder: Mapping[str, Any] | None,
    checkpoint: str,
    device: str = "cpu",
) -> LiveText:
    """Build the text encoder of a checkpoint's model.

    Args:
        trained: ``fingerprint`` and ``config`` of the encoder that the model was trained with, as its checkpoint
            records them; None when it does not.
        encoder: config to build in place of the recorded one: the same weights, in another place.
        checkpoint: the checkpoint's file, for messages.
        device: where the encoder runs, if it is of a kind that chooses.

    Raises:
        TextMismatchError: the encoder cannot be made, or is another than the training's.
    """
    config = encoder if encoder is not None else (trained or {}).get("config")
    if not config:
        raise TextMismatchError(
            f"{checkpoint}: does not say which encoder made the text of its training; {_REMEDY}"
        )
    built = _build(config, device, checkpoint)
    expected = (trained or {}).get("fingerprint")
    if expected is not None and built.fingerprint != expected:
        raise TextMismatchError(
            f"{checkpoint}: its text tokens came from another encoder (fingerprint {expected[:12]}) than this "
            f"{config['type']} (fingerprint {built.fingerprint[:12]}): other weights, or other settings; {_REMEDY}"
        )
    return LiveText(built, checkpoint)


def _build(config: Mapping[str, Any], device: str, checkpoint: str) -> "TextEncoder":
    config = dict(config)
    kind = config.get("type")
    with _made(checkpoint, kind):
        known = TEXT_ENCODERS.get(kind)
        if known is not None and "device" in accepted_keys(known).names:
            config["device"] = device
        built = TEXT_ENCODERS.build(config)
        built.fingerprint  # noqa: B018 (an encoder may read its weights only now)
    return built


@contextmanager
def _made(checkpoint: str, kind: object) -> Iterator[None]:
    """Say which checkpoint's encoder could not be made, and what to do."""
    try:
        yield
    except (ValueError, TypeError, KeyError, OSError, ImportError) as error:
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise TextMismatchError(
            f"{checkpoint}: its text encoder {kind} cannot be made: {reason}; {_REMEDY}"
        ) from error
