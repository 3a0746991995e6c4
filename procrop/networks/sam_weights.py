"""Weights of SAM and of its image encoder: where they are, what files may hold, and the encoder's two key layouts.

The *official* layout is that of the segment-anything package, the *HF* layout that of transformers' `SamVisionEncoder`.
Both name the same tensors of the same shapes.
"""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .weights import read_state

WHERE = (
    "official weights (sam_vit_b_01ec64.pth, sam_vit_l_0b3195.pth, sam_vit_h_4b8939.pth) are at "
    "https://github.com/facebookresearch/segment-anything#model-checkpoints"
)
# parts of a whole SAM that no image is encoded with
_OFFICIAL_OTHERS = ("prompt_encoder.", "mask_decoder.")
_HF_OTHERS = ("prompt_encoder.", "mask_decoder.", "shared_image_embedding.")
_RENAMED = (
    ("patch_embed.proj.", "patch_embed.projection."),
    ("neck.0.", "neck.conv1."),
    ("neck.1.", "neck.layer_norm1."),
    ("neck.2.", "neck.conv2."),
    ("neck.3.", "neck.layer_norm2."),
)


class EncoderState(NamedTuple):
    """Tensors of an image encoder in the official layout, and what the file holds beside them.

    Attributes:
        state: Named tensors; names that belong to no SAM are kept, so that strict loading reports them.
        passed_over: Number of tensors of the prompt encoder and the mask decoder, which are left out by design.
    """

    state: dict[str, Tensor]
    passed_over: int


def read_encoder_state(path: str | os.PathLike) -> EncoderState:
    """Read the image encoder out of a weight file.

    Args:
        path: ``.pth`` or ``.safetensors`` of a whole SAM or of its image encoder alone, in either layout.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file cannot be read as weights.
    """
    check_weight_file(path)
    state = read_state(path)
    if any(name.startswith("image_encoder.") for name in state):
        prefix, others = "image_encoder.", _OFFICIAL_OTHERS
    elif any(name.startswith("vision_encoder.") for name in state):
        prefix, others = "vision_encoder.", _HF_OTHERS
    else:
        prefix, others = "", ()
    encoder = {name.removeprefix(prefix): v for name, v in state.items() if not name.startswith(others)}
    return EncoderState(from_hf(encoder), len(state) - len(encoder))


def read_whole_state(path: str | os.PathLike) -> dict[str, Tensor]:
    """Read a whole SAM, prompt encoder and mask decoder included, out of a weight file in the official layout.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file cannot be read as weights, or holds an image encoder alone or transformers' layout.
    """
    check_weight_file(path)
    state = read_state(path)
    parts = ("image_encoder.", *_OFFICIAL_OTHERS)
    missing = [part for part in parts if not any(name.startswith(part) for name in state)]
    if missing:
        raise ValueError(
            f"{os.fspath(path)}: not a whole SAM in the official layout, {', '.join(missing)} missing; {WHERE}"
        )
    return state


def check_weight_file(path: str | os.PathLike) -> None:
    """Raise FileNotFoundError, saying where weights are, unless the file is there."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{os.fspath(path)}: no such weight file; {WHERE}")


def needs_one_source(name: str, checkpoint: str | os.PathLike | None, seed: int | None) -> None:
    """Raise ValueError unless either a checkpoint or the seed of untrained weights is given for component ``name``."""
    if (checkpoint is None) == (seed is None):
        raise ValueError(
            f"{name} needs a checkpoint: {WHERE}. For a test or a demonstration give random_weights_seed=0 instead, "
            "not both"
        )


def to_hf(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an image encoder's tensors from the official layout to transformers'; unknown names stay."""
    return {_to_hf_name(name): value for name, value in state.items()}


def from_hf(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an image encoder's tensors from transformers' layout to the official one; official names stay."""
    return {_from_hf_name(name): value for name, value in state.items()}


def _to_hf_name(name: str) -> str:
    name = re.sub(r"^blocks\.(\d+)\.norm([12])\.", r"layers.\1.layer_norm\2.", name)
    name = re.sub(r"^blocks\.", "layers.", name)
    for official, hf in _RENAMED:
        name = hf + name.removeprefix(official) if name.startswith(official) else name
    return name


def _from_hf_name(name: str) -> str:
    name = re.sub(r"^layers\.(\d+)\.layer_norm([12])\.", r"blocks.\1.norm\2.", name)
    name = re.sub(r"^layers\.", "blocks.", name)
    for official, hf in _RENAMED:
        name = official + name.removeprefix(hf) if name.startswith(hf) else name
    return name


def random_encoder_state(like: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Untrained float32 weights that depend on the seed and the official names and shapes of ``like`` alone.

    Matrices and positions are drawn from N(0, 0.02), norms are one and biases zero.
    """
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name in sorted(like):
        value = torch.empty(like[name].shape)
        if name.endswith(".bias"):
            value.zero_()
        elif value.ndim == 1:  # the scale of a norm
            value.fill_(1.0)
        else:
            value.normal_(0.0, 0.02, generator=generator)
        state[name] = value
    return state
