"""Canvases: sides, shares, places, determinism, and photos that cannot have one."""

import numpy as np
import pytest

from procrop.generation import CADItem, DropItem
from procrop.generation.steps.canvas import RandomCanvas
from procrop.registry import GENERATION_STEPS


def _plans(step, size=(1024, 683), draws=400):
    width, height = size
    item = CADItem("a", 0, "a", photo=np.zeros((height, width, 3), np.uint8))
    rng = np.random.default_rng(0)
    return [step.run(item, rng).canvas for _ in range(draws)]


def test_sides_shares_and_places_stay_in_range_and_fill_it():
    plans = _plans(RandomCanvas())
    sides = np.array([(p.width, p.height) for p in plans])
    assert sides.min() >= 700 and sides.max() <= 1024
    assert (sides.min(axis=0) < 710).all() and (sides.max(axis=0) > 1014).all()
    shares = np.array([p.known_share for p in plans])
    # to a pixel of each side
    assert shares.min() > 0.099 and shares.max() < 0.502 and shares.min() < 0.11 and shares.max() > 0.45
    for plan in plans:
        width, height = plan.known_size
        assert width <= 0.9 * plan.width + 0.5 and height <= 0.9 * plan.height + 0.5
        # the ratio is the photo's, to half a pixel of each side
        assert abs(width - height * 1024 / 683) <= 0.5 + 0.5 * 1024 / 683 + 1e-9
    # anywhere: the free room to the left and above is used evenly
    left = [p.known[0] / (p.width - p.known_size[0]) for p in plans]
    top = [p.known[1] / (p.height - p.known_size[1]) for p in plans]
    for place in (left, top):
        assert abs(np.mean(place) - 0.5) < 0.05 and np.std(place) == pytest.approx(12**-0.5, abs=0.03)


def test_expansions_differ_by_the_generator_alone():
    item = CADItem("a", 0, "a", photo=np.zeros((600, 900, 3), np.uint8))
    draw = [RandomCanvas().run(item, np.random.default_rng(seed)).canvas for seed in (1, 1, 2, 3)]
    assert draw[0] == draw[1] and len(set(draw)) == 3


def test_photos_are_never_enlarged():
    plans = _plans(RandomCanvas(), (420, 300), 100)
    assert all(p.known_size[0] <= 420 and p.known_size[1] <= 300 for p in plans)
    assert min(p.known_share for p in plans) > 0.099
    with pytest.raises(DropItem, match="a photo of 100 x 80 pixels cannot cover 0.1 of a canvas"):
        _plans(RandomCanvas(), (100, 80), 1)


def test_long_thin_photos_get_a_canvas_that_can_hold_them_or_are_left_out():
    plans = _plans(RandomCanvas(), (4000, 560), 100)  # 7.1 : 1
    assert all(p.known_share > 0.099 for p in plans)
    with pytest.raises(DropItem, match="5000 x 100"):
        _plans(RandomCanvas(), (5000, 100), 1)


def test_ratios_of_the_canvas_both_ways_round():
    plans = _plans(RandomCanvas(ratios=(4 / 3, 1)))
    stretch = np.array([p.width / p.height for p in plans])
    kinds = [np.abs(stretch - r) < 0.003 for r in (4 / 3, 1, 3 / 4)]
    assert (np.sum(kinds, axis=0) == 1).all()
    assert [np.mean(kind) for kind in kinds] == pytest.approx([0.25, 0.5, 0.25], abs=0.08)
    sides = np.array([(p.width, p.height) for p in plans])
    assert sides.min() >= 700 and sides.max() <= 1024


def test_a_share_of_one_needs_a_photo_that_fits():
    step = RandomCanvas(sides=(80, 80), known_share=(1, 1), max_extent=1)
    (plan,) = _plans(step, (160, 160), 1)
    assert plan.known == (0, 0, 80, 80)
    with pytest.raises(DropItem):
        _plans(step, (160, 150), 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(sides=(800, 700)), "sides must be"),
        (dict(known_share=(0, 0.5)), "known_share must be"),
        (dict(known_share=(0.5, 0.4)), "known_share must be"),
        (dict(max_extent=1.2), "max_extent must be"),
        (dict(max_extent=0.3), "share of 0.1 cannot be had"),
        (dict(ratios=(2.0,)), "ratio 2.0 cannot be had .* from 0.684 to 1.463"),
        (dict(ratios=()), "at least one ratio"),
    ],
)
def test_faults(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomCanvas(**settings)


def test_registered_and_fingerprinted():
    step = GENERATION_STEPS.build(dict(type="RandomCanvas"))
    assert step.makes == ("canvas",) and not step.per_source
    others = [RandomCanvas(sides=(700, 1000)), RandomCanvas(ratios=(1,)), RandomCanvas(max_extent=0.8)]
    assert len({s.fingerprint for s in [step, RandomCanvas(), *others]}) == 4
