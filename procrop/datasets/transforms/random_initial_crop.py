"""The views of an out-painted photo that a model is trained on."""

import numpy as np
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS
from procrop.structures import clip_boxes

_BOXES = ("gt_bboxes", "gt_ori_bboxes")


@TRANSFORMS.register_module()
class RandomInitialCrop(BaseTransform):
    """Cut a photo to one of its initial crops: random windows that contain the known area (paper, weak supervision).

    The model sees the window as its photo, and the known area within it is the best crop. Where a sample lists no
    initial crops, a window is drawn as in the code published with the paper: each border lies in the outer
    ``1 - keep_margin`` of the margin beside the known area, so that four fifths of each margin stay. An annotated crop
    or pseudo label that leaves the window by more than a pixel is left out; the known area never does.

    Comes behind LoadCropAnnotations and before any resizing. What was the original photo for later steps is the
    window: ``ori_shape`` and ``gt_ori_bboxes`` follow it, too.

    Required keys: ``img`` (H, W, 3), ``gt_bboxes`` (n, 4) xyxy pixels, ``gt_scores`` (n,), ``gt_positives`` (n,);
    optional ``initial_crops`` (m, 4).

    Modified keys: these, ``gt_ori_bboxes``, ``ori_shape``, ``img_shape``.

    Args:
        whole_prob: probability that the whole photo stays.
        keep_margin: least share of each margin in a window that is drawn.

    Raises:
        ValueError: a probability or share is out of range.
    """

    def __init__(self, whole_prob: float = 0.0, keep_margin: float = 0.8) -> None:
        if not 0 <= whole_prob <= 1 or not 0 <= keep_margin <= 1:
            raise ValueError(
                f"RandomInitialCrop needs whole_prob and keep_margin in [0, 1], got {whole_prob}, {keep_margin}"
            )
        self.whole_prob, self.keep_margin = whole_prob, keep_margin

    def transform(self, results: dict) -> dict:
        """Cut one sample."""
        # always the same draws, whatever comes of them
        whole, which, sides = np.random.random(), np.random.random(), np.random.random(4)
        if whole < self.whole_prob or results.get("gt_bboxes") is None or not len(results["gt_bboxes"]):
            return results
        height, width = results["img"].shape[:2]
        known = np.asarray(results["gt_bboxes"], np.float64)[int(np.argmax(results["gt_scores"]))]
        listed = results.get("initial_crops")
        if listed is not None:
            window = np.asarray(listed, np.float64)[int(which * len(listed))]
        else:
            edges = np.array([0.0, 0.0, width, height])
            window = edges + sides * (1 - self.keep_margin) * (known - edges)
        # whole pixels, outwards, and never less than the known area
        window = np.concatenate([np.minimum(window[:2], known[:2]), np.maximum(window[2:], known[2:])])
        window = clip_boxes(np.concatenate([np.floor(window[:2]), np.ceil(window[2:])]), (width, height))
        return self._cut(results, window.astype(int))

    @staticmethod
    def _cut(results: dict, window: np.ndarray) -> dict:
        x1, y1, x2, y2 = window.tolist()
        size = (x2 - x1, y2 - y1)
        shift = np.array([x1, y1, x1, y1], np.float64)
        results["img"] = results["img"][y1:y2, x1:x2]
        results["ori_shape"] = results["img_shape"] = size[::-1]
        boxes = np.asarray(results["gt_bboxes"], np.float64) - shift
        kept = np.abs(boxes - clip_boxes(boxes, size)).max(axis=1) <= 1
        for key in _BOXES:
            if key in results:
                values = np.asarray(results[key])
                moved = clip_boxes(values.astype(np.float64) - shift, size)
                results[key] = moved[kept].astype(values.dtype)
        for key in ("gt_scores", "gt_positives"):
            results[key] = np.asarray(results[key])[kept]
        if results.get("initial_crops") is not None:
            results["initial_crops"] = clip_boxes(results["initial_crops"] - shift, size).astype(np.float32)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(whole_prob={self.whole_prob}, keep_margin={self.keep_margin})"
