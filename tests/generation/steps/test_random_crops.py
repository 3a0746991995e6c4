"""Windows around the known area: they hold it, stay in the canvas, and vary as stated."""

import numpy as np
import pytest
from scipy.stats import kstest

from procrop.generation import CADItem, CanvasPlan
from procrop.generation.steps.crops import RandomCrops

PLANS = {
    "middle": CanvasPlan(1000, 800, (300, 250, 700, 550)),
    "corner": CanvasPlan(1000, 800, (0, 0, 300, 240)),
    "wide": CanvasPlan(1024, 700, (30, 300, 950, 420)),
    "all": CanvasPlan(900, 700, (0, 0, 900, 700)),
    "nearly all": CanvasPlan(900, 700, (1, 0, 900, 700)),
}


def crops(plan, seed=0, **settings):
    item = CADItem("a", 0, "a.jpg", canvas=plan)
    return RandomCrops(**settings).run(item, np.random.default_rng(seed)).crops


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("mode", ["uniform", "margins"])
def test_windows_hold_the_known_area_in_whole_pixels(plan, mode):
    found = crops(plan, number=400, mode=mode)
    x1, y1, x2, y2 = plan.known
    assert found.shape == (400, 4) and found.dtype == np.float64 and np.array_equal(found, np.rint(found))
    assert (found[:, 0] <= x1).all() and (found[:, 1] <= y1).all()
    assert (found[:, 2] >= x2).all() and (found[:, 3] >= y2).all()
    assert (found >= 0).all() and (found[:, 2] <= plan.width).all() and (found[:, 3] <= plan.height).all()


def test_scale_and_ratio_are_even_where_nothing_is_in_the_way():
    plan = CanvasPlan(4000, 4000, (1900, 1900, 2100, 2100))
    found = crops(plan, number=4000, scale=(3, 8), ratio=(0.5, 2))
    width, height = (found[:, 2:] - found[:, :2]).T
    scale = np.sqrt(width * height) / 200
    assert kstest(scale, "uniform", (3, 5)).pvalue > 0.01
    assert kstest(np.log(width / height), "uniform", (-np.log(2), 2 * np.log(2))).pvalue > 0.01
    # and the place, among those that hold the known area and stay inside
    place = (found[:, 0] - (2100 - width)) / (1900 - (2100 - width))
    assert kstest(place, "uniform").pvalue > 0.01


def test_ratios_in_the_range_as_far_as_known_area_and_canvas_allow():
    found = crops(PLANS["middle"], number=500)
    ratio = (found[:, 2] - found[:, 0]) / (found[:, 3] - found[:, 1])
    assert 0.49 < ratio.min() < 0.7 and 1.8 < ratio.max() < 2.01
    # a panorama cannot be seen in a ratio of 2 until the window is as high as half its width
    found = crops(PLANS["wide"], number=500, scale=(1.1, 1.5))
    ratio = (found[:, 2] - found[:, 0]) / (found[:, 3] - found[:, 1])
    assert ratio.min() > 2 and ((found[:, 2] - found[:, 0]) < 950).all()


def test_margins_keep_at_least_their_share():
    plan = PLANS["middle"]
    found = crops(plan, number=2000, mode="margins", keep=0.8)
    kept = np.stack([300 - found[:, 0], 250 - found[:, 1], found[:, 2] - 700, found[:, 3] - 550])
    share = kept / np.array([[300], [250], [300], [250]])
    assert share.min() >= 0.8 and share.max() == 1
    assert np.abs(share.mean(axis=1) - 0.9).max() < 0.01
    whole = crops(plan, mode="margins", keep=1)
    assert np.array_equal(whole, np.tile([0, 0, 1000, 800], (8, 1)))


def test_what_a_fingerprint_covers_and_what_is_refused():
    prints = [
        RandomCrops(**s).fingerprint for s in ({}, dict(number=9), dict(scale=(1, 2)), dict(ratio=(1, 1)))
    ]
    prints.append(RandomCrops(mode="margins").fingerprint)
    assert len(set(prints)) == 5
    assert RandomCrops(keep=0.5).fingerprint == prints[0]  # says nothing in this mode
    for settings in (
        dict(mode="else"),
        dict(number=0),
        dict(scale=(0.9, 2)),
        dict(scale=(3, 2)),
        dict(ratio=(2, 1)),
        dict(ratio=(0, 1)),
        dict(keep=1.1),
    ):
        with pytest.raises(ValueError, match=next(iter(settings))):
            RandomCrops(**settings)
    with pytest.raises(ValueError, match="needs `canvas`"):
        RandomCrops().run(CADItem("a", 0, "a.jpg"), np.random.default_rng(0))
