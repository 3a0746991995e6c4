"""RGB statistics that published weights were trained with, and pixels brought to them."""

from collections.abc import Sequence

import torch
from torch import Tensor

# mean and standard deviation of RGB in [0, 1]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def standardise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """RGB (b, 3, H, W) uint8 -> float32 (x / 255 - mean) / std per channel."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
        for values in (mean, std)
    )
    return (images.float() / 255 - mean) / std
