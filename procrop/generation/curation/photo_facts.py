"""What is known of a photo when its predicted crops are judged."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PhotoFacts:
    """Facts about one photo; a principle that needs one that is None has no say.

    Attributes:
        size: (width, height) in pixels of the whole photo.
        known: (4,) ``xyxy``: the known area, the original photo within its out-painting.
        known_score: Score of the known area as a label.
        subject: (4,) ``xyxy`` box of the subject.
        saliency: (h, w) non-negative, the photo scaled to any raster; larger where it draws attention.
        horizon: Its height in pixels from the top.
    """

    size: tuple[float, float]
    known: np.ndarray
    known_score: float = 5.0
    subject: np.ndarray | None = None
    saliency: np.ndarray | None = None
    horizon: float | None = None
