"""Every random draw of a distillation, as a function of (seed, epoch or view, photo)."""

import numpy as np
from PIL import Image, ImageEnhance

_STREAM_VIEW, _STREAM_EPOCH, _STREAM_POOL = 1, 2, 3


def photometric_view(photo: np.ndarray, seed: int, view: int, number: int) -> np.ndarray:
    """A version of a photo (H, W, 3) uint8 RGB; view 0 is the photo itself.

    Light, contrast and saturation change by up to a fifth. Nothing moves: a flip or a crop would be another
    composition, with another key.
    """
    if view == 0:
        return photo
    factors = np.random.default_rng([_STREAM_VIEW, seed, view, number]).uniform(0.8, 1.2, 3)
    image = Image.fromarray(photo)
    for kind, factor in zip(
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), factors, strict=True
    ):
        image = kind(image).enhance(float(factor))
    return np.asarray(image)


def epoch_plan(numbers: list[int], seed: int, epoch: int, views: int) -> tuple[np.ndarray, np.ndarray]:
    """Order (n,) in which an epoch takes the photos, and the view (n,) of each photo in that order."""
    words = np.stack(
        [
            np.random.SeedSequence([_STREAM_EPOCH, seed, epoch, n]).generate_state(2, np.uint64)
            for n in numbers
        ]
    )
    order = np.argsort(words[:, 0], kind="stable")
    return order, (words[order, 1] % views).astype(np.int64)


def pool_plan(count: int, most: int, seed: int, epoch: int) -> np.ndarray:
    """Which of ``count`` gallery keys an epoch compares with: ascending, at most ``most``."""
    if count <= most:
        return np.arange(count)
    rng = np.random.default_rng([_STREAM_POOL, seed, epoch])
    return np.sort(rng.choice(count, most, replace=False))
