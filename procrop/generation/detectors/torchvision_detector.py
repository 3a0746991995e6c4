"""Detectors of torchvision, with weights from a file."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.io.manifest import sha256_file
from procrop.registry import SUBJECT_DETECTORS

from .base import Detections
from .class_detector import ClassDetector

if TYPE_CHECKING:
    from torch import nn

_VERSION = 1


@SUBJECT_DETECTORS.register_module()
class TorchvisionDetector(ClassDetector):
    """A detector of classes from `torchvision.models.detection`, e.g. on COCO's.

    Args:
        weights: Its weight file, ``.safetensors`` or torch; nothing is downloaded.
        model: Name of its builder, e.g. ``"fasterrcnn_resnet50_fpn_v2"``.
        num_classes: Classes of the weights, the background included.
        options: `score_threshold`, `labels` and `device`, see `ClassDetector`.

    Raises:
        FileNotFoundError: There is no such weight file.
        ValueError: There is no such model; at first use: the weights do not fit, or the device is not there.
    """

    def __init__(
        self,
        weights: str | os.PathLike,
        model: str = "fasterrcnn_resnet50_fpn_v2",
        num_classes: int = 91,
        **options: Any,
    ) -> None:
        from torchvision.models import detection as models
        from torchvision.models import list_models

        known = list_models(models)
        if model not in known:
            raise ValueError(f"model must be one of {', '.join(known)}, not {model!r}")
        self.weights = os.fspath(weights)
        if not os.path.isfile(self.weights):
            raise FileNotFoundError(f"{self.weights}: no such weight file; save torchvision's {model} there")
        self.model, self.num_classes = model, int(num_classes)
        super().__init__(**options)

    def network_facts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "weights": sha256_file(self.weights),
            "version": _VERSION,
        }

    @cached_property
    def network(self) -> "nn.Module":
        """The loaded detector on the device."""
        from torchvision.models import get_model

        from procrop.networks.placement import checked_device
        from procrop.networks.weights import load_strict, read_state

        device = checked_device(self.device)
        network = get_model(self.model, weights=None, weights_backbone=None, num_classes=self.num_classes)
        remedy = "name the model and the num_classes that the file was made with"
        state = read_state(self.weights)
        load_strict(network, state, self.weights, f"{self.model} of {self.num_classes} classes", remedy)
        return network.eval().requires_grad_(False).to(device)

    def detect_all(self, image: np.ndarray) -> Detections:
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            answer = self.network([pixels.to(self.device)])[0]
        return Detections.of(*(answer[key].cpu().numpy() for key in ("boxes", "scores", "labels")))
