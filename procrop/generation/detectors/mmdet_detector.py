"""Detectors of MMDetection, with weights from a file."""

import copy
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.io.manifest import sha256_file
from procrop.registry import SUBJECT_DETECTORS

from .base import Detections
from .class_detector import ClassDetector

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.dataset import Compose
    from torch import nn

_VERSION = 1


@SUBJECT_DETECTORS.register_module()
class MMDetDetector(ClassDetector):
    """Any detector of MMDetection, e.g. YOLOX, which GenCrop takes.

    Args:
        config: Its config file.
        checkpoint: Its weight file, ``.pth`` or ``.safetensors``; read without running code from it.
        options: `score_threshold`, `labels` and `device`, see `ClassDetector`.

    Raises:
        FileNotFoundError: One of the files is missing.
        CheckpointError: At first use: the weights cannot be read or do not fit.
        ValueError: At first use: the device is not there.
    """

    def __init__(
        self,
        config: str | os.PathLike,
        checkpoint: str | os.PathLike,
        **options: Any,
    ) -> None:
        self.config, self.checkpoint = os.fspath(config), os.fspath(checkpoint)
        for path, what in ((self.config, "config"), (self.checkpoint, "weight")):
            if not os.path.isfile(path):
                raise FileNotFoundError(f"{path}: no such {what} file of a detector")
        super().__init__(**options)

    @cached_property
    def _cfg(self) -> "Config":
        from mmengine.config import Config

        return Config.fromfile(self.config)

    def network_facts(self) -> dict[str, Any]:
        return {
            "config": self._cfg.pretty_text,
            "weights": sha256_file(self.checkpoint),
            "version": _VERSION,
        }

    @cached_property
    def network(self) -> "nn.Module":
        """The loaded detector on the device."""
        from mmdet.registry import MODELS
        from mmengine.registry import DefaultScope

        from procrop.engine.checkpoint import load_weights
        from procrop.networks.placement import checked_device

        device = checked_device(self.device)
        with DefaultScope.overwrite_default_scope("mmdet"):
            # copied: building takes keys out of the config
            network = MODELS.build(copy.deepcopy(self._cfg.model))
        load_weights(network, self.checkpoint)
        return network.eval().requires_grad_(False).to(device)

    @cached_property
    def _pipeline(self) -> "Compose":
        from mmdet.utils import get_test_pipeline_cfg
        from mmengine.dataset import Compose
        from mmengine.registry import DefaultScope

        steps = copy.deepcopy(get_test_pipeline_cfg(self._cfg))
        steps[0].type = "mmdet.LoadImageFromNDArray"
        with DefaultScope.overwrite_default_scope("mmdet"):
            return Compose(steps)

    def detect_all(self, image: np.ndarray) -> Detections:
        import torch

        # MMDetection's pipelines start from BGR
        data = self._pipeline({"img": np.ascontiguousarray(image[..., ::-1]), "img_id": 0})
        with torch.inference_mode():
            answer = self.network.test_step({key: [value] for key, value in data.items()})[0].pred_instances
        return Detections.of(*(answer[key].cpu().numpy() for key in ("bboxes", "scores", "labels")))
