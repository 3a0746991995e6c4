"""Boxes against plain loops and torchvision, and the purity of the numpy-only packages."""

import subprocess
import sys

import numpy as np
import pytest

from procrop.structures import boxes as bx


def _random_boxes(rng, n, size=(640, 480)):
    corners = rng.uniform(0, 1, (n, 2, 2)).round(2) * size
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


def test_conversions_by_hand():
    xyxy = [[10.0, 20.0, 110.0, 70.0]]
    assert bx.xyxy_to_xywh(xyxy).tolist() == [[10, 20, 100, 50]]
    assert bx.xyxy_to_yxyx(xyxy).tolist() == [[20, 10, 70, 110]]
    assert bx.xyxy_to_cxcywh(xyxy).tolist() == [[60, 45, 100, 50]]
    assert bx.normalise_boxes(xyxy, (200, 100)).tolist() == [[0.05, 0.2, 0.55, 0.7]]
    assert bx.box_area(xyxy).tolist() == [5000]
    assert bx.aspect_ratio(xyxy).tolist() == [2]


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (bx.xyxy_to_xywh, bx.xywh_to_xyxy),
        (bx.xyxy_to_yxyx, bx.yxyx_to_xyxy),
        (bx.xyxy_to_cxcywh, bx.cxcywh_to_xyxy),
        (lambda b: bx.normalise_boxes(b, (640, 480)), lambda b: bx.denormalise_boxes(b, (640, 480))),
    ],
)
def test_conversions_invert_and_leave_their_input_alone(there, back):
    given = _random_boxes(np.random.default_rng(0), 50).astype(np.float32)
    kept = given.copy()
    converted = there(given)
    assert converted.dtype == np.float64
    np.testing.assert_allclose(back(converted), given, atol=1e-9)
    np.testing.assert_array_equal(given, kept)
    assert there(np.zeros((2, 3, 4))).shape == (2, 3, 4)
    assert there([]).shape == (0, 4)


def test_clip_by_hand():
    clipped = bx.clip_boxes([[-5, -1, 30, 40], [90, 10, 130, 80], [120, 5, 140, 9]], (100, 50))
    assert clipped.tolist() == [[0, 0, 30, 40], [90, 10, 100, 50], [100, 5, 100, 9]]
    assert bx.box_area(clipped)[2] == 0


def test_area_and_aspect_of_inside_out_boxes():
    inside_out = [[10, 10, 5, 20], [10, 10, 20, 10], [5, 5, 4, 4]]
    assert bx.box_area(inside_out).tolist() == [0, 0, 0]
    assert np.isnan(bx.aspect_ratio(inside_out)).all()


def _loop_iou_giou(p, q):
    width = min(p[2], q[2]) - max(p[0], q[0])
    height = min(p[3], q[3]) - max(p[1], q[1])
    inter = width * height if width > 0 and height > 0 else 0.0
    union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - inter
    hull = (max(p[2], q[2]) - min(p[0], q[0])) * (max(p[3], q[3]) - min(p[1], q[1]))
    iou = inter / union if union else 0.0
    return iou, iou - ((hull - union) / hull if hull else 0.0)


def test_iou_and_giou_equal_a_loop_over_pairs():
    rng = np.random.default_rng(1)
    a, b = _random_boxes(rng, 40), _random_boxes(rng, 30)
    a[0] = b[0]
    a[1] = [5, 5, 5, 5]
    iou, giou = bx.box_iou(a, b), bx.box_giou(a, b)
    assert iou.shape == giou.shape == (40, 30)
    for i in range(40):
        for j in range(30):
            expected = _loop_iou_giou(a[i], b[j])
            assert iou[i, j] == pytest.approx(expected[0], abs=1e-12)
            assert giou[i, j] == pytest.approx(expected[1], abs=1e-12)
    assert iou[0, 0] == giou[0, 0] == 1.0


def test_iou_and_giou_by_hand():
    a, b = [[0, 0, 10, 10]], [[5, 5, 15, 15], [20, 0, 30, 10], [0, 0, 17, 10]]
    np.testing.assert_allclose(bx.box_iou(a, b), [[25 / 175, 0, 10 / 17]])
    np.testing.assert_allclose(bx.box_giou(a, b), [[25 / 175 - 50 / 225, -100 / 300, 10 / 17]])
    assert bx.box_iou([[0, 0, 17, 1]], [[0, 0, 20, 1]])[0, 0] == 0.85  # exactly on the usual threshold
    assert bx.box_iou(a, []).shape == (1, 0)
    assert bx.box_iou([], []).shape == (0, 0)


def test_displacement_divides_horizontal_shifts_by_the_width():
    # 900 wide and 600 high; shifts of 40 and 20 pixels in x, 30 and 10 in y
    a, b = [[100, 100, 500, 400]], [[140, 130, 520, 410]]
    np.testing.assert_allclose(bx.boundary_displacement(a, b, (900, 600)), [[1 / 30]])
    np.testing.assert_allclose(bx.boundary_displacement(a, b, (600, 900)), [[0.1 / 4 + 40 / 900 / 4]])
    assert round(float(bx.boundary_displacement(a, b, (600, 900))[0, 0]), 4) == 0.0361
    assert bx.boundary_displacement([[0, 0, 0, 0]], [[900, 600, 900, 600]], (900, 600))[0, 0] == 1


@pytest.mark.parametrize("bad", [[[1, 2, 3]], 5.0, np.zeros((2, 5))])
def test_wrong_shapes_are_told(bad):
    with pytest.raises(ValueError, match="last axis of 4"):
        bx.box_area(bad)


def test_single_boxes_make_no_pairs_and_sizes_are_checked():
    with pytest.raises(ValueError, match="pairs are made of"):
        bx.box_iou([0, 0, 1, 1], [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="width, height"):
        bx.normalise_boxes([[0, 0, 1, 1]], (0, 10))


@pytest.mark.parametrize(
    "module",
    ["procrop.structures.boxes", "procrop.structures.grid_anchors", "procrop.evaluation.functional.floors"],
)
def test_numpy_only_modules_load_no_heavy_package(module):
    code = (
        f"import sys, {module}, procrop.evaluation.functional as f\n"
        "[getattr(f, name) for name in f.__all__]\n"
        "print([m for m in ('torch', 'mmdet', 'mmengine', 'mmcv', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_kept_share_of_an_area():
    area = [0.1, 0.2, 10.3, 5.7]
    boxes = [[0, 0, 20, 20], area, [0.1, 0.2, 5.2, 5.7], [10.3, 0, 30, 30], [5.2, 2.95, 99, 99]]
    shares = bx.kept_share(boxes, area)
    assert shares[:2].tolist() == [1, 1]  # exactly
    np.testing.assert_allclose(shares[2:], [0.5, 0, 0.25])
    assert bx.kept_share([], area).shape == (0,)
