"""Reading of a sample's photo."""

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.io import read_photo
from procrop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPhoto(BaseTransform):
    """Load a photo as upright RGB.

    Required keys: ``photo`` (H, W, 3) uint8 RGB already in memory, or else ``img_path``.

    Added keys: ``img`` (H, W, 3) uint8 RGB, ``ori_shape`` and ``img_shape`` (h, w), ``scale_factor`` (1.0, 1.0).

    Args:
        max_pixels: photos of more pixels are refused.
        background: RGB that shows through transparent pixels.
    """

    def __init__(
        self, max_pixels: int = 200_000_000, background: tuple[int, int, int] = (255, 255, 255)
    ) -> None:
        self.max_pixels = max_pixels
        self.background = tuple(background)

    def transform(self, results: dict) -> dict:
        """Add the photo to a sample.

        Raises:
            PhotoError: the file cannot be used as a photo.
            ValueError: ``photo`` is no (H, W, 3) uint8 array.
        """
        if "photo" in results:
            img = results["photo"]
            if not isinstance(img, np.ndarray) or img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
                kind = f"{getattr(img, 'dtype', type(img).__name__)} {getattr(img, 'shape', '')}".strip()
                raise ValueError(f"a photo in memory must be an (H, W, 3) uint8 RGB array, got {kind}")
        else:
            img = read_photo(results["img_path"], self.max_pixels, self.background)
        results["img"] = img
        results["ori_shape"] = results["img_shape"] = img.shape[:2]
        results["scale_factor"] = (1.0, 1.0)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(max_pixels={self.max_pixels}, background={self.background})"
