"""Resizing keeps at least one pixel of every side."""

import numpy as np
import pytest
from mmcv.transforms import Resize as MMCVResize

from procrop.datasets.transforms import Resize


@pytest.mark.parametrize("shape", [(1, 800), (800, 1), (20, 30000), (1, 1)])
def test_thin_strips_keep_a_pixel(shape):
    boxes = np.array([[0, 0, shape[1], shape[0]]], np.float32)
    results = dict(img=np.zeros((*shape, 3), np.uint8), gt_bboxes=boxes)
    out = Resize(scale=(256, 192), keep_ratio=True)(results)
    height, width = out["img_shape"]
    assert min(height, width) >= 1 and max(height, width) <= 256
    assert out["img"].shape == (height, width, 3)
    np.testing.assert_allclose(out["gt_bboxes"], [[0, 0, width, height]], atol=0.51)


def test_other_photos_are_resized_as_by_mmcv():
    photo = np.random.default_rng(0).integers(0, 255, (90, 140, 3), dtype=np.uint8)
    ours, theirs = (
        kind(scale=(64, 48), keep_ratio=True)(dict(img=photo.copy(), gt_bboxes=np.array([[3.0, 4, 80, 70]])))
        for kind in (Resize, MMCVResize)
    )
    for key in ("img", "gt_bboxes"):
        np.testing.assert_array_equal(ours[key], theirs[key])
    assert ours["scale_factor"] == theirs["scale_factor"] and ours["img_shape"] == theirs["img_shape"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    # GAIC: short side 256, then both sides to the nearest multiple of 32
    [((600, 800), (256, 352)), ((480, 720), (256, 384)), ((900, 500), (448, 256)), ((30, 3000), (32, 1344))],
)
def test_sides_become_multiples_and_boxes_follow_each_axis(shape, expected):
    height, width = shape
    boxes = np.array([[0, 0, width, height], [width / 4, height / 3, width / 2, height]], np.float64)
    results = dict(img=np.zeros((*shape, 3), np.uint8), gt_bboxes=boxes)
    out = Resize(scale=(1344, 256), keep_ratio=True, size_divisor=32)(results)
    assert out["img_shape"] == out["img"].shape[:2] == expected
    assert out["scale_factor"] == (expected[1] / width, expected[0] / height)
    h, w = expected
    np.testing.assert_allclose(out["gt_bboxes"], [[0, 0, w, h], [w / 4, h / 3, w / 2, h]], rtol=1e-12)


def test_a_divisor_needs_the_ratio():
    with pytest.raises(ValueError, match="keep_ratio=True"):
        Resize(scale=(64, 48), size_divisor=32)
    with pytest.raises(ValueError, match="at least 1"):
        Resize(scale=(64, 48), keep_ratio=True, size_divisor=0)
