"""A student's head before training, and how it is applied to cached features."""

import numpy as np
import torch

from procrop.networks.key_student import KeyHead

from .ridge import fit_ridge


def set_start(head: KeyHead, widths: tuple[int, ...], features: np.ndarray, keys: np.ndarray) -> None:
    """Set a head's scales and its linear map by least squares on features (n, f) and keys (n, d)."""
    wide = features.astype(np.float32)
    head.mean.copy_(torch.from_numpy(wide.mean(axis=0)))
    variances = np.split(wide.var(axis=0, dtype=np.float64), np.cumsum(widths)[:-1])
    scales = [1 / np.sqrt(max(v.sum() * len(widths), 1e-12)) for v in variances]
    head.scale.copy_(torch.from_numpy(np.repeat(scales, widths).astype(np.float32)))
    with torch.no_grad():
        ridge = fit_ridge(head.standardise(torch.from_numpy(wide)).numpy(), keys)
        head.linear.weight.copy_(torch.from_numpy(ridge.weight.T.astype(np.float32)))
        head.linear.bias.copy_(torch.from_numpy(ridge.bias.astype(np.float32)))


def apply_head(head: KeyHead, features: np.ndarray, device: str) -> np.ndarray:
    """Keys (n, d) float32 of features (n, f)."""
    head.eval()
    with torch.inference_mode():
        return head(torch.from_numpy(features).to(device).float()).cpu().numpy()
