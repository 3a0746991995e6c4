"""Drops outpainted photos that a trained classifier takes for botched."""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.generation.item import CADItem
from procrop.io.manifest import sha256_file, sha256_json
from procrop.registry import GENERATION_STEPS

from .base import QualityCheck

if TYPE_CHECKING:
    from procrop.networks.artefact_classifier import ArtefactClassifier

# raise when photos are brought to the classifier's input otherwise
_VERSION = 1


@GENERATION_STEPS.register_module()
class ArtefactFilter(QualityCheck):
    """The artefact classifier of GenCrop (Hong et al. 2024): the whole canvas at 128 x 128 pixels, two classes.

    Figure: ``artefact_probability``, P(bad).

    Args:
        weights: A file of ``tools/train_artefact_filter.py``, or one that `read_artefact_classifier` takes.
        arch: What a file of others is of; see there.
        threshold: Largest P(bad) that passes, in (0, 1). The training's report has a table of thresholds.
        device: Torch device.

    Raises:
        FileNotFoundError: There is no such weight file.
        ValueError: ``threshold`` out of range; at first use: the file does not fit, or the device is not there.
    """

    name = "artefact"

    def __init__(
        self,
        weights: str | os.PathLike,
        arch: str | None = None,
        threshold: float = 0.5,
        device: str = "cpu",
    ) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f"threshold must be in (0, 1), got {threshold}")
        self.weights = os.fspath(weights)
        if not os.path.isfile(self.weights):
            raise FileNotFoundError(
                f"{self.weights}: no such weight file; train one: python tools/train_artefact_filter.py train"
            )
        self.arch, self.threshold, self.device = arch, float(threshold), device

    @cached_property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "weights": sha256_file(self.weights),
                "arch": self.arch,
                "threshold": self.threshold,
                "version": _VERSION,
            }
        )

    @cached_property
    def network(self) -> "ArtefactClassifier":
        """The loaded classifier on the device."""
        from procrop.networks.artefact_classifier import read_artefact_classifier
        from procrop.networks.placement import checked_device

        return read_artefact_classifier(self.weights, self.arch).to(checked_device(self.device))

    def measure(self, item: CADItem, rng: np.random.Generator) -> dict[str, float]:
        import torch

        from procrop.networks.artefact_classifier import classifier_pixels, to_batch

        image = item.need("image", type(self).__name__)
        with torch.inference_mode():
            batch = to_batch([classifier_pixels(image)]).to(self.device)
            return {"artefact_probability": float(self.network.bad_probability(batch)[0])}

    def fault(self, figures: Mapping[str, float]) -> str | None:
        probability = figures["artefact_probability"]
        # a NaN passes no comparison, and must not pass here
        if probability <= self.threshold:
            return None
        return f"the classifier calls it bad with probability {probability:.2f}, more than {self.threshold:g}"
