"""Linear least squares with a penalty that the training photos choose: the start of a student, and its baseline."""

from typing import NamedTuple

import numpy as np

_PENALTIES = 10.0 ** np.arange(-7, 3, 0.5)


class Ridge(NamedTuple):
    """A linear map: keys = features @ weight + bias.

    Attributes:
        weight: (f, d) float64.
        bias: (d,) float64.
        penalty: The penalty that was chosen, relative to the mean squared length of a centred feature.
    """

    weight: np.ndarray
    bias: np.ndarray
    penalty: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (n, f) -> keys (n, d) float64."""
        return features @ self.weight + self.bias


def fit_ridge(features: np.ndarray, keys: np.ndarray) -> Ridge:
    """Fit keys (n, d) on features (n, f); the penalty has the least squared error on photos left out one at a time.

    The leave-one-out errors are exact and need no refit: residual / (1 - leverage).
    """
    x, y = features.astype(np.float64), keys.astype(np.float64)
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    values, left = _left_vectors(x)
    projected = left.T @ y
    best: tuple[float, float] | None = None
    scale = float((x**2).sum() / len(x))
    for relative in _PENALTIES:
        shrink = values / (values + relative * scale)
        leverage = np.einsum("nr,nr,r->n", left, left, shrink) + 1 / len(x)
        residual = y - left @ (shrink[:, None] * projected)
        error = float(np.mean((residual / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2))
        if best is None or error < best[0]:
            best = error, float(relative)
    penalty = best[1]
    weight = x.T @ (left @ (projected / (values + penalty * scale)[:, None]))
    return Ridge(weight, y_mean - x_mean @ weight, penalty)


def _left_vectors(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values (r,) and left singular vectors (n, r) of x (n, f), without the null space."""
    count, width = x.shape
    if count <= width:
        values, left = np.linalg.eigh(x @ x.T)
    else:
        values, right = np.linalg.eigh(x.T @ x)
    kept = values > max(values[-1], np.finfo(np.float64).tiny) * 1e-12
    values = values[kept]
    return values, left[:, kept] if count <= width else (x @ right[:, kept]) / np.sqrt(values)
