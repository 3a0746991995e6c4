"""Resizing that survives the thinnest strips."""

from typing import Any

from mmcv import imresize, rescale_size
from mmcv.transforms import Resize as MMCVResize

from procrop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Resize(MMCVResize):
    """mmcv's Resize, boxes as plain arrays, whose sides never become shorter than one pixel.

    Kept to its ratio, a photo of 800 x 1 pixels would shrink to 256 x 0. Give ``scale`` as (long side, short side).

    Args:
        size_divisor: round both sides of a photo that keeps its ratio to the nearest multiple of this, at least one;
            boxes follow each axis by its own factor. Needs ``keep_ratio``.
        *args: arguments of mmcv's Resize.
        **kwargs: the same.

    Raises:
        ValueError: ``size_divisor`` is below 1, or given without ``keep_ratio``.
    """

    def __init__(self, *args: Any, size_divisor: int = 1, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if size_divisor < 1 or (size_divisor > 1 and not self.keep_ratio):
            raise ValueError(
                f"size_divisor must be at least 1 and needs keep_ratio=True, got size_divisor={size_divisor} and "
                f"keep_ratio={self.keep_ratio}"
            )
        self.size_divisor = size_divisor

    def _resize_img(self, results: dict) -> None:
        height, width = results["img"].shape[:2]
        if not self.keep_ratio:
            super()._resize_img(results)
            return
        plain = rescale_size((width, height), results["scale"])
        divisor = self.size_divisor
        size = tuple(max(round(side / divisor), 1) * divisor for side in plain)
        if size == plain:
            super()._resize_img(results)
            return
        results["img"] = imresize(
            results["img"], size, interpolation=self.interpolation, backend=self.backend
        )
        results["img_shape"] = results["img"].shape[:2]
        results["scale_factor"] = (size[0] / width, size[1] / height)
        results["keep_ratio"] = self.keep_ratio
