"""A mirrored photo has its crops mirrored, in both frames, by chance of the sample's own."""

import numpy as np
import pytest

from procrop.datasets.transforms import RandomFlip
from procrop.registry import TRANSFORMS


def sample():
    """A photo of 40 x 20 that was resized from 80 x 40."""
    img = np.random.default_rng(0).integers(0, 255, (20, 40, 3), dtype=np.uint8)
    crops = np.array([[0, 2, 10, 12], [5, 0, 40, 20]], np.float32)
    return dict(
        img=img,
        img_shape=(20, 40),
        ori_shape=(40, 80),
        gt_bboxes=crops,
        gt_ori_bboxes=crops.astype(np.float64) * 2,
        lesser_crops=crops[:1] + 1,
        subject_bbox=np.array([60, 10, 80, 30], np.float32),
    )


def test_photo_and_crops_are_mirrored():
    before, after = sample(), RandomFlip(prob=1.0)(sample())
    np.testing.assert_array_equal(after["img"], before["img"][:, ::-1])
    np.testing.assert_array_equal(after["gt_bboxes"], [[30, 2, 40, 12], [0, 0, 35, 20]])
    np.testing.assert_array_equal(after["gt_ori_bboxes"], [[60, 4, 80, 24], [0, 0, 70, 40]])
    np.testing.assert_array_equal(after["lesser_crops"], [[29, 3, 39, 13]])
    np.testing.assert_array_equal(after["subject_bbox"], [0, 10, 20, 30])
    for (x1, y1, x2, y2), (u1, v1, u2, v2) in zip(
        before["gt_bboxes"].astype(int), after["gt_bboxes"].astype(int), strict=True
    ):
        np.testing.assert_array_equal(after["img"][v1:v2, u1:u2], before["img"][y1:y2, x1:x2][:, ::-1])


def test_a_photo_that_is_not_mirrored_stays_as_it_is():
    before, after = sample(), RandomFlip(prob=0.0)(sample())
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value)


def test_a_photo_without_annotation_can_be_mirrored():
    img = sample()["img"]
    np.testing.assert_array_equal(RandomFlip(prob=1.0)(dict(img=img, gt_bboxes=None))["img"], img[:, ::-1])


def test_half_of_the_photos_are_mirrored_by_the_seed_of_the_sample():
    flip = TRANSFORMS.build(dict(type="RandomFlip", prob=0.5))
    assert type(flip) is RandomFlip  # not mmdet's, which wants its own boxes

    def flips(seed):
        np.random.seed(seed)
        return [flip(sample())["flip"] for _ in range(400)]

    drawn = flips(0)
    assert drawn == flips(0) and drawn != flips(1)
    assert 160 < sum(drawn) < 240


def test_a_chance_that_is_none_is_refused():
    with pytest.raises(ValueError, match="probs must be float"):
        RandomFlip()
