"""A network that tells botched outpainted photos from good ones (after Hong et al. 2024), and its weight file."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from procrop.io.atomic import write_bytes

from .pixel_statistics import IMAGENET, standardise
from .weights import load_strict, read_state

# the order of the two outputs
CLASSES = ("good", "bad")
ARCHS = ("resnet50", "resnet18", "tiny")
IMAGE_SIZE = 128
KIND, VERSION = "artefact classifier", 1
# the only entry of the file's metadata
_ENTRY = "procrop"


class ArtefactClassifier(nn.Module):
    """ResNet with two outputs, good and bad, for whole photos brought to 128 x 128 pixels.

    Weights have torchvision's names, which timm's ResNets share.

    Args:
        arch: "resnet50" as in GenCrop, "resnet18", or "tiny", four small convolutions for tests.

    Attributes:
        training_record: How the weights were made, as JSON values; empty if unknown.

    Raises:
        ValueError: Unknown ``arch``.
    """

    def __init__(self, arch: str = "resnet50") -> None:
        super().__init__()
        if arch not in ARCHS:
            raise ValueError(f"arch must be one of {ARCHS}, not {arch!r}")
        self.arch = arch
        self.training_record: dict[str, Any] = {}
        self.network = _tiny() if arch == "tiny" else _resnet(arch)

    def forward(self, images: Tensor) -> Tensor:
        """Photos (B, 3, 128, 128) uint8 RGB -> logits (B, 2) in the order of `CLASSES`."""
        return self.network(standardise(images, *IMAGENET))

    def bad_probability(self, images: Tensor) -> Tensor:
        """Photos (B, 3, 128, 128) uint8 RGB -> (B,) P(bad) in [0, 1]."""
        return self(images).float().softmax(dim=1)[:, 1]

    def load_backbone(self, path: str | os.PathLike) -> None:
        """Start from ImageNet weights of the same ResNet; its last layer is left out of them, and stays as it is.

        Raises:
            FileNotFoundError: No such file.
            ValueError: It cannot be read, does not fit, or the network is no ResNet.
        """
        if self.arch == "tiny":
            raise ValueError("arch 'tiny' has no ImageNet weights: leave the file out, or take a ResNet")
        state = {name: value for name, value in read_state(path).items() if not name.startswith("fc.")}
        state |= {f"fc.{name}": value for name, value in self.network.fc.state_dict().items()}
        self._load(state, path, f"name torchvision's or timm's {self.arch} file")

    def _load(self, state: Mapping[str, Tensor], source: str | os.PathLike, remedy: str) -> None:
        # counters of batches, which files may lack, play no part in evaluation
        counters = [name for name in self.network.state_dict() if name.endswith("num_batches_tracked")]
        what = f"a {self.arch} with {len(CLASSES)} classes"
        load_strict(self.network, state, source, what, remedy, optional=counters)


def _resnet(arch: str) -> nn.Module:
    from torchvision.models import get_model

    return get_model(arch, weights=None, num_classes=len(CLASSES))


def _tiny() -> nn.Module:
    widths = (3, 8, 16, 32, 32)
    blocks = [
        layer
        for i in range(4)
        for layer in (
            nn.Conv2d(widths[i], widths[i + 1], 3, 2, 1, bias=False),
            nn.BatchNorm2d(widths[i + 1]),
            nn.ReLU(),
        )
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, len(CLASSES)))


def write_artefact_classifier(
    path: str | os.PathLike, model: ArtefactClassifier, training: dict[str, Any]
) -> None:
    """Write weights and what they are (safetensors), atomically and without timestamps.

    Args:
        path: Ends in ``.safetensors``.
        model: The classifier.
        training: How it was made, as JSON values, for people.
    """
    from safetensors.torch import save

    header = {"kind": KIND, "version": VERSION, "arch": model.arch, "classes": CLASSES, "training": training}
    state = {name: value.detach().cpu().contiguous() for name, value in model.network.state_dict().items()}
    write_bytes(path, save(state, metadata={_ENTRY: json.dumps(header, sort_keys=True)}))


def read_artefact_classifier(path: str | os.PathLike, arch: str | None = None) -> ArtefactClassifier:
    """A classifier with trained weights, in evaluation mode on the CPU.

    Args:
        path: A file of `write_artefact_classifier`, or a ``.safetensors`` or torch file of torchvision's names with
            outputs in the order good, bad, such as GenCrop's ``model.pt``.
        arch: What the file is of. A file of ours says it itself; another is taken for a ResNet-50.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It cannot be read, is of another kind, version or ``arch``, or its weights do not fit.
    """
    path = os.fspath(path)
    state = read_state(path)
    header = _header(path)
    if header is not None:
        if (header.get("kind"), header.get("version")) != (KIND, VERSION):
            raise ValueError(
                f"{path}: holds {header.get('kind')!r} of version {header.get('version')}, not {KIND!r} of version "
                f"{VERSION}; train one: python tools/train_artefact_filter.py train"
            )
        if header.get("classes") != list(CLASSES):
            raise ValueError(f"{path}: its outputs are {header.get('classes')}, not {list(CLASSES)}")
        if arch not in (None, header.get("arch")):
            raise ValueError(f"{path}: is a {header.get('arch')}, not a {arch}; leave arch out to take it")
        arch = header.get("arch")
    model = ArtefactClassifier("resnet50" if arch is None else arch)
    model.training_record = {} if header is None else header.get("training", {})
    model._load(
        state, path, "name the arch that it was trained with, or train one: tools/train_artefact_filter.py"
    )
    return model.eval().requires_grad_(False)


def _header(path: str) -> dict[str, Any] | None:
    """What a file of ours says of itself; None for a file of others."""
    if not path.endswith(".safetensors"):
        return None
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(_ENTRY)
    try:
        header = None if text is None else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: its description is damaged ({error}); train it again") from error
    if header is not None and not isinstance(header, dict):
        raise ValueError(f"{path}: its description is damaged; train it again")
    return header


def classifier_pixels(photo: np.ndarray) -> np.ndarray:
    """A photo (H, W, 3) uint8 RGB as the classifier sees it: (128, 128, 3) uint8, not keeping its aspect."""
    # Pillow's bilinear filter widens with the reduction, so strong reductions do not alias
    return np.asarray(Image.fromarray(photo).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR))


def to_batch(photos: Sequence[np.ndarray] | np.ndarray) -> Tensor:
    """B photos (128, 128, 3) uint8 -> (B, 3, 128, 128) uint8 tensor."""
    return torch.from_numpy(np.stack(list(photos))).permute(0, 3, 1, 2).contiguous()
