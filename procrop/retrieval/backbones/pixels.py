"""Resizing for the encoders that see a photo as a rectangle of their own choice."""

import numpy as np
from PIL import Image

from .base import check_image


def resize_bicubic(
    image: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """Resize a photo, or a part of it, without keeping its aspect; a photo of that size comes back as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: (width, height) wanted, in pixels.
        box: xyxy in pixels of ``image``: the part to take; None for the whole photo.

    Raises:
        ValueError: ``image`` is no photo.
    """
    check_image(image)
    if size == (image.shape[1], image.shape[0]):
        return image
    # Pillow's filter widens with the reduction, so strong reductions do not alias
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, box=box))
