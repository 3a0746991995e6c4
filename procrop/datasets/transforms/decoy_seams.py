"""Seams where no photo ends, so that a seam says nothing about a crop."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS
from procrop.structures.seams import SEAM_KINDS, paste_seam, random_seam_box


@TRANSFORMS.register_module()
class DecoySeams(BaseTransform):
    """Paste random rectangles at whose borders sharpness, grain, colour or compression change, and content does not.

    In an outpainted photo the label lies exactly where the painted part begins, and a network could learn to find that
    border rather than a good crop. Decoys have such borders at places that have nothing to do with the label. Boxes
    are left alone.

    Modified keys: ``img`` (H, W, 3) uint8 RGB. Photos of less than 32 pixels a side are left as they are.

    Args:
        prob: Probability that a photo gets any.
        count: Least and largest number of rectangles of a photo that gets any.
        kinds: What may change at their borders, each equally likely: of "blur", "colour", "jpeg", "noise".
        area: Least and largest share of the photo's area that a rectangle takes.
        inside_prob: Probability that the inside of a rectangle is altered, and not the outside. Below one half, since
            it is the outside that an outpainter makes.

    Raises:
        ValueError: A probability, count or share out of range, or an unknown kind.
    """

    def __init__(
        self,
        prob: float = 0.5,
        count: Sequence[int] = (1, 3),
        kinds: Sequence[str] = SEAM_KINDS,
        area: Sequence[float] = (0.1, 0.6),
        inside_prob: float = 0.3,
    ) -> None:
        self.prob, self.inside_prob = float(prob), float(inside_prob)
        self.count, self.kinds, self.area = tuple(count), tuple(kinds), tuple(area)
        if not (0 <= self.prob <= 1 and 0 <= self.inside_prob <= 1):
            raise ValueError(f"prob and inside_prob must be in [0, 1], got {prob} and {inside_prob}")
        if len(self.count) != 2 or not 1 <= self.count[0] <= self.count[1]:
            raise ValueError(f"count must be (least, largest), at least 1, got {count}")
        if len(self.area) != 2 or not 0 < self.area[0] <= self.area[1] <= 0.8:
            raise ValueError(f"area must be (least, largest) in (0, 0.8], got {area}")
        unknown = sorted(set(self.kinds) - set(SEAM_KINDS))
        if unknown or not self.kinds:
            raise ValueError(f"kinds must be some of {SEAM_KINDS}, got {tuple(kinds)}")

    def transform(self, results: dict) -> dict:
        """Add decoys to the photo of a sample."""
        # one draw from the sample's own generator, whatever comes of it
        rng = np.random.default_rng(np.random.randint(2**31, size=2))
        img = results["img"]
        if rng.random() >= self.prob or min(img.shape[:2]) < 32:
            return results
        for _ in range(rng.integers(self.count[0], self.count[1] + 1)):
            box = random_seam_box((img.shape[1], img.shape[0]), rng, self.area)
            kind = self.kinds[rng.integers(len(self.kinds))]
            img = paste_seam(img, box, kind, rng, inside=bool(rng.random() < self.inside_prob))
        results["img"] = img
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(prob={self.prob}, count={self.count}, kinds={self.kinds}, area={self.area}, "
            f"inside_prob={self.inside_prob})"
        )
