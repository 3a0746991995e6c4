"""Pasted seams: one side is the photo's, the other slightly changed; boxes keep their ranges."""

import io

import numpy as np
import pytest
from PIL import Image

from procrop.structures.seams import SEAM_KINDS, jpeg_encoded, paste_seam, random_seam_box

RNG = np.random.default_rng
PHOTO = RNG(0).integers(60, 190, (90, 120, 3), dtype=np.uint8)
BOX = np.array([30, 20, 90, 70.0])


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", SEAM_KINDS)
def test_one_side_is_the_photos_and_the_other_is_slightly_changed(kind, inside):
    before = PHOTO.copy()
    seamed = paste_seam(PHOTO, BOX, kind, RNG(1), inside)
    np.testing.assert_array_equal(PHOTO, before)
    assert seamed.dtype == np.uint8 and seamed.shape == PHOTO.shape
    within = np.zeros((90, 120), bool)
    within[20:70, 30:90] = True
    altered = within if inside else ~within
    np.testing.assert_array_equal(seamed[~altered], PHOTO[~altered])
    change = np.abs(seamed[altered].astype(int) - PHOTO[altered])
    assert 0.9 < change.mean() < 40 and (change.max(axis=1) > 0).mean() > 0.8
    np.testing.assert_array_equal(seamed, paste_seam(PHOTO, BOX, kind, RNG(1), inside))


def test_no_grey_level_hides_a_change_of_colour():
    ramp = np.repeat(np.arange(12, 244, dtype=np.uint8)[None, :, None], 3, axis=2)
    ramp = np.repeat(ramp, 20, axis=0)
    for seed in range(50):
        change = paste_seam(ramp, np.array([0, 0, 1, 1]), "colour", RNG(seed))[5:].astype(int) - ramp[5:]
        assert np.abs(change).min() >= 2 and np.abs(change).max() <= 18


def test_boxes_keep_their_margin_area_and_ratio_and_lie_anywhere():
    rng = RNG(0)
    boxes = np.array([random_seam_box((1000, 600), rng) for _ in range(500)])
    np.testing.assert_array_equal(boxes, np.rint(boxes))
    assert boxes[:, [0, 2]].min() >= 50 and boxes[:, [0, 2]].max() <= 950
    assert boxes[:, [1, 3]].min() >= 30 and boxes[:, [1, 3]].max() <= 570
    sides = (boxes[:, 2:] - boxes[:, :2]) / [1000, 600]
    area = sides.prod(axis=1)
    assert 0.098 < area.min() < 0.13 and 0.4 < area.max() < 0.502
    stretch = sides[:, 0] / sides[:, 1]
    assert 0.49 < stretch.min() < 0.6 and 1.7 < stretch.max() < 2.04
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / [1000, 600]
    np.testing.assert_allclose(centres.mean(axis=0), 0.5, atol=0.03)


def test_faults():
    with pytest.raises(ValueError, match="kind of a seam must be one of .*'jpeg'.* got 'crack'"):
        paste_seam(PHOTO, BOX, "crack", RNG(0))
    with pytest.raises(ValueError, match="has no area in a photo of 120 x 90"):
        paste_seam(PHOTO, np.array([200, 0, 300, 50]), "blur", RNG(0))
    with pytest.raises(ValueError, match="2 x 2 pixels is too small for a seam"):
        for seed in range(20):
            random_seam_box((2, 2), RNG(seed))


def test_jpeg_is_pillows():
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", quality=60)
    np.testing.assert_array_equal(jpeg_encoded(PHOTO, 60), np.asarray(Image.open(file)))
