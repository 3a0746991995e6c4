"""One compression for the whole picture."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS
from procrop.structures.seams import jpeg_encoded


@TRANSFORMS.register_module()
class SameEncoding(BaseTransform):
    """Encode the whole photo as JPEG once more, so that all its parts share their last compression.

    The known area of an outpainted photo was a JPEG before, and the rest was not. After one more encoding, in blocks
    of the whole picture and at a random quality, less tells them apart. Put it after everything that alters parts of a
    photo (DecoySeams) and before resizing.

    Modified keys: ``img`` (H, W, 3) uint8 RGB.

    Args:
        quality: Least and largest JPEG quality, both inclusive.
        prob: Probability that a photo is encoded.

    Raises:
        ValueError: A quality outside 1 to 95, or a probability outside [0, 1].
    """

    def __init__(self, quality: Sequence[int] = (70, 95), prob: float = 1.0) -> None:
        self.quality, self.prob = tuple(quality), float(prob)
        if len(self.quality) != 2 or not 1 <= self.quality[0] <= self.quality[1] <= 95:
            raise ValueError(f"quality must be (least, largest) in 1 to 95, got {quality}")
        if not 0 <= self.prob <= 1:
            raise ValueError(f"prob must be in [0, 1], got {prob}")

    def transform(self, results: dict) -> dict:
        """Encode the photo of a sample."""
        # always two draws, so that prob does not move what later steps draw
        chosen = np.random.random() < self.prob
        quality = np.random.randint(self.quality[0], self.quality[1] + 1)
        if chosen:
            results["img"] = jpeg_encoded(results["img"], quality)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(quality={self.quality}, prob={self.prob})"
