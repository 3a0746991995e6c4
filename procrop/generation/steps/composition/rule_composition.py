"""The composition class by rule."""

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from ...item import CADItem
from ...layout import composition_of
from ...layout.photo_layout import LAYOUT_VERSION, PhotoLayout
from ...step import GenerationStep

# raise when a threshold changes
_VERSION = 1


@GENERATION_STEPS.register_module()
class RuleComposition(GenerationStep):
    """The class whose measure is clearest: saliency, straight and bent lines, symmetry, texture; no weights.

    Measures and thresholds are those of `class_scores`. Photos in which nothing is clear count as centred.
    """

    makes = ("composition",)
    per_source = True
    kept = False

    @property
    def fingerprint(self) -> str:
        return sha256_json({"type": type(self).__name__, "layout": LAYOUT_VERSION, "version": _VERSION})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        return item.with_(composition=composition_of(PhotoLayout.of(item.need("photo", type(self).__name__))))
