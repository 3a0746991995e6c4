"""Superpixels as masks: no weights, a tenth of a second a photo."""

from collections.abc import Sequence

import numpy as np

from procrop.generation.item import CADItem
from procrop.generation.step import GenerationStep
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from .label_maps import MAX_LABELS, resize_labels, shrunk

# raise when masks come out otherwise, so that kept ones are made again
_VERSION = 1
_SCALES = {"slic": (8, 32, 128), "felzenszwalb": (600, 200, 60)}


@GENERATION_STEPS.register_module()
class SuperpixelMasks(GenerationStep):
    """Segments of scikit-image at several scales, the embedded counterpart of SAM's masks.

    They follow colour and know nothing of objects. Found on a small copy of the photo; every pixel of every level
    belongs to a segment.

    Args:
        method: "slic": compact segments of about equal area (Achanta et al. 2012); "felzenszwalb": segments of any
            shape that end where colours change (Felzenszwalb and Huttenlocher 2004).
        scales: One value a level, coarse to fine: numbers of segments for "slic", falling thresholds (``scale`` of
            scikit-image) for "felzenszwalb". None takes three of them.
        long_side: Pixels of the long side of the copy.

    Raises:
        ValueError: Unknown method, no scale, scales in the wrong order, or a side below 16.
    """

    makes = ("masks",)
    per_source = True

    def __init__(
        self, method: str = "slic", scales: Sequence[float] | None = None, long_side: int = 256
    ) -> None:
        if method not in _SCALES:
            raise ValueError(f"method must be one of {tuple(_SCALES)}, got {method!r}")
        self.method = method
        self.scales = tuple(_SCALES[method] if scales is None else scales)
        rising = method == "slic"
        ordered = sorted(self.scales, reverse=not rising)
        if not self.scales or list(self.scales) != ordered or min(self.scales) <= 0:
            way = "rising numbers of segments" if rising else "falling thresholds"
            raise ValueError(f"scales of {method} are {way} above 0, coarse to fine, got {self.scales}")
        if long_side < 16:
            raise ValueError(f"long_side must be at least 16 pixels, got {long_side}")
        self.long_side = int(long_side)

    @property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "method": self.method,
                "scales": self.scales,
                "long_side": self.long_side,
                "version": _VERSION,
            }
        )

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        """Add ``masks`` (L, H, W) uint16, labels from 1; the generator is not drawn from."""
        photo = item.need("photo", type(self).__name__)
        small = shrunk(photo, self.long_side)
        labels = np.stack([self._segments(small, scale) for scale in self.scales])
        height, width = photo.shape[:2]
        return item.with_(masks=resize_labels(labels, (width, height)))

    def _segments(self, photo: np.ndarray, scale: float) -> np.ndarray:
        from skimage.segmentation import felzenszwalb, slic

        if self.method == "slic":
            pixels = photo.shape[0] * photo.shape[1]
            labels = slic(photo, n_segments=min(int(scale), pixels), compactness=10, start_label=1)
        else:
            labels = felzenszwalb(photo, scale=scale, sigma=0.8, min_size=20) + 1
        return np.minimum(labels, MAX_LABELS).astype(np.uint16)
