"""A logistic classifier of composition on frozen features, and its file."""

import json
import os
from dataclasses import dataclass

import numpy as np

from procrop.io.atomic import write_bytes
from procrop.io.manifest import sha256_json

from ..classes import COMPOSITION_CLASSES

_KIND, _VERSION, _ENTRY = "composition classes", 1, "procrop"
_ARRAYS = ("mean", "scale", "weight", "bias")


@dataclass(frozen=True)
class CompositionHead:
    """Nine logistic classifiers, one for each class: a photo may belong to several.

    Attributes:
        mean, scale: (f,) float32; features are centred and scaled by them.
        weight: (9, f) float32.
        bias: (9,) float32.
    """

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Features (n, f) -> (n, 9) log odds."""
        return ((features - self.mean) * self.scale) @ self.weight.T + self.bias

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Features (n, v, f) of v views of each photo -> (n,) number of its likeliest class."""
        n, views, width = features.shape
        logits = self.logits(features.reshape(n * views, width)).reshape(n, views, -1)
        return logits.mean(axis=1).argmax(axis=1)


def fit_composition_head(features: np.ndarray, labels: np.ndarray, penalty: float) -> CompositionHead:
    """Fit by binary cross-entropy with an L2 penalty on the weights: convex, so the start does not matter.

    Args:
        features: (n, v, f) float32, v views of each photo.
        labels: (n, 9) bool.
        penalty: Weight of half the squared weights beside the mean loss; above 0.
    """
    import torch
    import torch.nn.functional as F

    views = features.shape[1]
    flat = features.reshape(-1, features.shape[-1])
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    # photos of length one in the mean, so that one penalty fits all numbers of features
    scale = 1 / (np.maximum(spread, 1e-3 * spread.max() + 1e-12) * np.sqrt(flat.shape[1]))
    x = torch.from_numpy(((flat - mean) * scale).astype(np.float32))
    y = torch.from_numpy(np.repeat(labels, views, axis=0).astype(np.float32))
    weight = torch.zeros(labels.shape[1], x.shape[1], requires_grad=True)
    share = np.clip(labels.mean(axis=0), 1e-3, 1 - 1e-3)
    bias = torch.tensor(np.log(share / (1 - share)), dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weight.T + bias, y) * y.shape[1]
        loss = loss + penalty / 2 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    learned = weight.detach().numpy(), bias.detach().numpy()
    return CompositionHead(mean.astype(np.float32), scale.astype(np.float32), *learned)


def write_composition_head(
    path: str | os.PathLike, head: CompositionHead, features: dict, training: dict
) -> None:
    """Write a safetensors file with a JSON header, atomically and without timestamps.

    Args:
        path: The file.
        head: The classifier.
        features: `CompositionFeatures.fingerprint`.
        training: How it was made and how good it is, as JSON values, for people.
    """
    from safetensors.numpy import save

    header = {"kind": _KIND, "version": _VERSION, "classes": COMPOSITION_CLASSES}
    header |= {"features": features, "training": training}
    arrays = {name: np.ascontiguousarray(getattr(head, name), np.float32) for name in _ARRAYS}
    write_bytes(path, save(arrays, metadata={_ENTRY: json.dumps(header, sort_keys=True)}))


def read_composition_head(path: str | os.PathLike) -> tuple[CompositionHead, dict]:
    """Read the file: the classifier, and its header.

    Raises:
        ValueError: It is absent, damaged, of another kind, version or order of classes.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "make it again: python tools/train_composition.py LIST --photos DIR --out FILE"
    try:
        with safe_open(os.fspath(path), "np") as file:
            header = json.loads((file.metadata() or {})[_ENTRY])
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        found = header["kind"], header["version"], tuple(header["classes"])
        features = header["features"]
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; {remedy.replace(' again', '')}") from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a classifier of composition classes ({error}); {remedy}") from error
    if found != (_KIND, _VERSION, COMPOSITION_CLASSES) or not isinstance(features, dict):
        raise ValueError(f"{path}: made for another version or for other classes ({found[:2]}); {remedy}")
    width = arrays["mean"].shape
    shapes = {
        "scale": width,
        "weight": (len(COMPOSITION_CLASSES), *width),
        "bias": (len(COMPOSITION_CLASSES),),
    }
    if len(width) != 1 or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError(f"{path}: its arrays do not fit together; {remedy}")
    return CompositionHead(**arrays), header


def head_sha256(head: CompositionHead) -> str:
    """Hex SHA-256 over the values."""
    return sha256_json([getattr(head, name).astype(np.float64).tolist() for name in _ARRAYS])
