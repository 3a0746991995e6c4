"""Composition by a local captioner, and by what can be measured."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS, TEXT_ENCODERS

from ...analysis import CompositionAnalysis, WithinImage
from ...item import CADItem
from ...layout import composition_of
from ...layout.caption_phrases import noun_phrases
from ...layout.photo_layout import LAYOUT_VERSION, PhotoLayout
from ...layout.words import beyond, colours_in_words, elements
from ...step import DropItem, GenerationStep

if TYPE_CHECKING:
    from procrop.models.text import TextEncoder

# raise when the words change
_VERSION = 1


@GENERATION_STEPS.register_module()
class BLIPAnalyzer(GenerationStep):
    """What BLIP sees in a photo, with the places, lines and colours that `RuleAnalyzer` measures. No network is used.

    The caption is BLIP's. Subject and first elements are the things that it names, in its order; the subject's box, the
    composition class, lines and colours are measured. What lies beyond the borders is measured too: BLIP describes what
    it sees, and takes no questions. The wider scene is the caption's.

    Args:
        encoder: A text encoder that writes captions, built already or its config, such as
            ``dict(type="BLIPTextEncoder", token_model=..., caption_model=...)``; built when the first photo or the
            fingerprint is asked for.

    Raises:
        ValueError: When it is built: the encoder writes no captions.
    """

    makes = ("analysis",)
    per_source = True
    kept = True

    def __init__(self, encoder: "Mapping[str, object] | TextEncoder") -> None:
        self._given = encoder

    @cached_property
    def encoder(self) -> "TextEncoder":
        """The captioner."""
        built = TEXT_ENCODERS.build(dict(self._given)) if isinstance(self._given, Mapping) else self._given
        if built.caption_fingerprint is None:
            raise ValueError(
                f"{type(built).__name__} writes no captions as configured: BLIPAnalyzer needs one that does, such as "
                "BLIPTextEncoder with caption_model"
            )
        return built

    @property
    def fingerprint(self) -> str:
        captioner = self.encoder.caption_fingerprint
        versions = {"layout": LAYOUT_VERSION, "version": _VERSION}
        return sha256_json({"type": type(self).__name__, "captioner": captioner, **versions})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        photo = item.need("photo", type(self).__name__)
        (caption,) = self.encoder.caption([photo])
        caption = " ".join(caption.split())
        if not caption:
            raise DropItem("the captioner had nothing to say")
        layout = PhotoLayout.of(photo)
        things = noun_phrases(caption)
        subject = things[0] if things else ""
        box = None if layout.subject is None else layout.subject.box
        seen = (*things[1:], *elements(layout), *colours_in_words(layout))
        within = WithinImage(seen, subject, box, composition_of(layout))
        outside = replace(beyond(layout), scene=f"the wider scene around {caption}")
        return item.with_(analysis=CompositionAnalysis(caption, within, outside))
