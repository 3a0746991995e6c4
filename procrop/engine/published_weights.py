"""Weights as they are published: a safetensors file that knows its config, so that it runs without ``configs/``.

Tensors with two axes or more are float16. Vectors (biases, the statistics of normalisation layers) stay float32: they
are some percent of the bytes, and running variances may lie outside of what float16 can tell apart. What a ``.pth``
file of a training has under ``meta["procrop"]`` is JSON under ``procrop`` in the file's metadata.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch

METADATA_KEY = "procrop"


def pack_weights(weights: Mapping[str, torch.Tensor], own: Mapping[str, Any]) -> bytes:
    """Make the file.

    Args:
        weights: the model's state, by name.
        own: what the file is to know, as JSON values.

    Returns:
        Its bytes; equal arguments give equal bytes.

    Raises:
        ValueError: A number is not finite, or too large for float16; the message names the weight.
    """
    from safetensors.torch import save

    stored = {name: _stored(name, weights[name]) for name in sorted(weights)}
    text = json.dumps(own, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return save(stored, metadata={METADATA_KEY: text})


def unpack_meta(metadata: Mapping[str, str]) -> dict[str, Any]:
    """``meta`` of a checkpoint, out of the metadata of a safetensors file; that of another program stays as it is.

    Raises:
        ValueError: What is there under ``procrop`` is no JSON object.
    """
    meta: dict[str, Any] = dict(metadata)
    if METADATA_KEY in meta:
        own = json.loads(meta[METADATA_KEY])
        if not isinstance(own, dict):
            raise ValueError(f"its metadata {METADATA_KEY!r} is no JSON object")
        meta[METADATA_KEY] = own
    return meta


def as_trained(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in the precision that models are built with: float16 becomes float32, others stay."""
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _stored(name: str, tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone()
    if not torch.isfinite(tensor).all():
        raise ValueError(
            f"the weight {name} holds a number that is not finite; train again, from an earlier epoch"
        )
    stored = tensor.to(torch.float16 if tensor.ndim > 1 else torch.float32)
    if not torch.isfinite(stored).all():
        largest = tensor.abs().max().item()
        raise ValueError(f"the weight {name} holds {largest:.3g}, which is too large for float16")
    return stored.contiguous().clone()
