"""Resizing that survives the thinnest strips."""

from mmcv import imresize, rescale_size
from mmcv.transforms import Resize as MMCVResize

from procrop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Resize(MMCVResize):
    """mmcv's Resize, boxes as plain arrays, whose sides never become shorter than one pixel.

    Kept to its ratio, a photo of 800 x 1 pixels would shrink to 256 x 0. Give ``scale`` as (long side, short side).
    """

    def _resize_img(self, results: dict) -> None:
        height, width = results["img"].shape[:2]
        if not self.keep_ratio or min(rescale_size((width, height), results["scale"])) >= 1:
            super()._resize_img(results)
            return
        size = tuple(max(side, 1) for side in rescale_size((width, height), results["scale"]))
        results["img"] = imresize(
            results["img"], size, interpolation=self.interpolation, backend=self.backend
        )
        results["img_shape"] = results["img"].shape[:2]
        results["scale_factor"] = (size[0] / width, size[1] / height)
        results["keep_ratio"] = self.keep_ratio
