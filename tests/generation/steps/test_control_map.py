"""What surrounds the diffusion model: the coloured map of the masks, and colours that meet at the border."""

import numpy as np

from procrop.generation import CanvasPlan
from procrop.generation.known_area import known_mask
from procrop.generation.steps.outpainters.border_match import match_border
from procrop.generation.steps.outpainters.segmentation_map import segmentation_map


def test_the_coloured_map():
    masks = np.zeros((2, 40, 60), np.uint16)
    masks[0, :, 30:], masks[1, :20] = 1, 7
    plan = CanvasPlan(50, 40, (10, 5, 40, 25))  # half the photo's size
    found = segmentation_map(masks, plan)
    assert not found[~known_mask(plan)].any()
    quarters = found[5:25, 10:40].reshape(2, 10, 2, 15, 3)
    colours = quarters[:, 0, :, 0]
    np.testing.assert_array_equal(quarters, np.broadcast_to(colours[:, None, :, None], quarters.shape))
    assert not colours[1, 0].any() and colours[[0, 0, 1], [0, 1, 1]].min() >= 32
    both = (colours[0, 0].astype(float) + colours[1, 1]) / 2
    np.testing.assert_allclose(colours[0, 1], both, atol=0.51)
    more = masks.copy()
    more[1, 39, 0] = 300  # a label more changes no other colour
    np.testing.assert_array_equal(segmentation_map(more, plan)[:24], found[:24])


def test_colours_meet_the_photo_at_its_border():
    plan = CanvasPlan(120, 90, (40, 30, 80, 60))
    truth = np.full((90, 120, 3), 100, np.uint8)
    canvas = np.where(known_mask(plan)[..., None], truth, 0).astype(np.uint8)
    painted = np.full_like(truth, 112)  # the model is off by 12
    matched = match_border(painted, canvas, plan, reach=8).astype(int)
    assert abs(matched[29, 60, 0] - 100) <= 2 and abs(matched[45, 39, 0] - 100) <= 2
    column = matched[:30, 60, 0]
    assert (np.diff(column) <= 0).all() and column[0] >= 111  # fades away from the border
    np.testing.assert_array_equal(match_border(painted, canvas, plan, 0), painted)
    np.testing.assert_array_equal(match_border(truth, canvas, plan, 8), truth)  # nothing off, nothing shifted
