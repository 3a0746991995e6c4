"""Random changes of brightness, contrast, saturation and hue."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PhotometricDistortion(BaseTransform):
    """Change brightness, contrast, saturation and hue, each with probability one half.

    The amounts are those of Jia et al. 2022. Contrast is changed before or after saturation and hue, with equal
    chance. Geometry and channel order are untouched, as a crop's quality depends on the former.

    Modified keys: ``img`` (H, W, 3) uint8 RGB.

    Args:
        brightness: largest shift of a grey level, of 255.
        contrast: range of the factor on grey levels.
        saturation: range of the factor on saturation.
        hue: largest turn of the hue, in degrees of 360.
        prob: probability of each change.
    """

    def __init__(
        self,
        brightness: float = 32,
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: float = 18,
        prob: float = 0.5,
    ) -> None:
        self.brightness = brightness
        self.contrast = tuple(contrast)
        self.saturation = tuple(saturation)
        self.hue = hue
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Distort the photo of a sample."""
        # always the same number of draws, so that one setting does not move the others' values
        chosen = np.random.random(4) < self.prob
        shift = np.random.uniform(-self.brightness, self.brightness)
        factor = np.random.uniform(*self.contrast)
        saturation = np.random.uniform(*self.saturation)
        turn = np.random.uniform(-self.hue, self.hue)
        contrast_first = np.random.random() < 0.5
        shift, factor = (shift if chosen[0] else 0.0), (factor if chosen[1] else 1.0)
        saturation, turn = (saturation if chosen[2] else 1.0), (turn if chosen[3] else 0.0)

        img = results["img"]
        img = _shift_and_scale(img, shift, factor if contrast_first else 1.0)
        if chosen[2] or chosen[3]:
            img = _turn_colours(img, saturation, turn)
        if not contrast_first:
            img = _shift_and_scale(img, 0.0, factor)
        results["img"] = img
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue}, prob={self.prob})"
        )


def _shift_and_scale(img: np.ndarray, shift: float, factor: float) -> np.ndarray:
    """Map grey levels v to (v + shift) * factor, clipped."""
    if shift == 0 and factor == 1:
        return img
    levels = np.clip((np.clip(np.arange(256) + shift, 0, 255)) * factor, 0, 255)
    return np.rint(levels).astype(np.uint8)[img]


def _turn_colours(img: np.ndarray, saturation: float, turn: float) -> np.ndarray:
    """Multiply the saturation and turn the hue by degrees."""
    hsv = cv2.cvtColor(
        img.astype(np.float32) / 255, cv2.COLOR_RGB2HSV
    )  # hue 0..360, saturation and value 0..1
    hsv[..., 0] = (hsv[..., 0] + turn) % 360
    hsv[..., 1] = np.minimum(hsv[..., 1] * saturation, 1)
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255).clip(0, 255).astype(np.uint8)
