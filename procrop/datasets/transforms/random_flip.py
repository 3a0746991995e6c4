"""Mirroring of photos, with their crops."""

from mmcv.transforms import RandomFlip as MMCVRandomFlip

from procrop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomFlip(MMCVRandomFlip):
    """mmcv's RandomFlip, boxes as plain arrays; the crops that later steps do not resize are flipped along.

    For training only: predictions are not turned back. References and text stay those of the photo as it was.

    Modified keys: ``img``; ``gt_bboxes``, ``lesser_crops`` (n, 4) in pixels of ``img``; ``gt_ori_bboxes`` (n, 4) and
    ``subject_bbox`` (4,) in pixels of the original photo.

    Args:
        prob: probability that a photo is mirrored.
        direction: "horizontal", or another of mmcv's.
    """

    def _flip(self, results: dict) -> None:
        super()._flip(results)
        frames = dict(lesser_crops="img_shape", gt_ori_bboxes="ori_shape", subject_bbox="ori_shape")
        for key, frame in frames.items():
            if results.get(key) is not None:
                results[key] = self._flip_bbox(results[key], results[frame], results["flip_direction"])
