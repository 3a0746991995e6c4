"""consensus_crops: the expected IoU against a plain loop, and its answers to sharp, flat and divided merits."""

import numpy as np
import pytest

from procrop.generation.curation.consensus_crops import consensus_crops, usable_windows, window_lattice
from procrop.structures.boxes import box_iou

BOXES, OVERLAP = window_lattice()
ALL = np.ones(len(BOXES), bool)


def row_of(*box):
    return int(np.flatnonzero((BOXES == box).all(axis=1))[0])


def test_the_lattice_holds_each_window_of_its_rules_once():
    steps = np.rint(BOXES * 16).astype(int)
    np.testing.assert_array_equal(steps / 16, BOXES)
    assert len(np.unique(steps, axis=0)) == len(BOXES)
    sides = BOXES[:, 2:] - BOXES[:, :2]
    assert (sides >= 0.4).all() and (sides.prod(axis=1) >= 0.25).all()
    assert {(0, 0, 16, 16), (0, 0, 8, 8), (4, 3, 12, 13)} <= set(map(tuple, steps))
    np.testing.assert_allclose(OVERLAP[::300], box_iou(BOXES[::300], BOXES), rtol=1e-6)


def test_agreement_is_the_expected_iou():
    merits = np.random.default_rng(0).normal(size=len(BOXES))
    found = consensus_crops(merits, ALL, count=2, temperature=0.5)
    weights = np.exp(merits / 0.5)
    weights /= weights.sum()
    expected = box_iou(found.boxes, BOXES) @ weights
    np.testing.assert_allclose(found.agreement, expected, rtol=1e-4)
    assert found.agreement[0] == pytest.approx((OVERLAP @ weights).max(), rel=1e-4)


def test_a_sharp_maximum_answers_by_itself():
    merits = np.zeros(len(BOXES))
    merits[row_of(0.25, 0.0, 1.0, 0.75)] = 5
    np.testing.assert_array_equal(consensus_crops(merits, ALL, 1).boxes, [[0.25, 0, 1, 0.75]])


def test_merits_that_say_nothing_are_answered_by_the_middle():
    x1, y1, x2, y2 = consensus_crops(np.zeros(len(BOXES)), ALL, 1).boxes[0]
    assert abs(x1 + x2 - 1) <= 1 / 16 and abs(y1 + y2 - 1) <= 1 / 16


def test_two_maxima_get_a_crop_each():
    merits = np.zeros(len(BOXES))
    merits[[row_of(0, 0, 0.5625, 0.5625), row_of(0.4375, 0.4375, 1, 1)]] = 5, 4.99
    found = consensus_crops(merits, ALL, 2).boxes
    np.testing.assert_array_equal(found, [[0, 0, 0.5625, 0.5625], [0.4375, 0.4375, 1, 1]])


def test_unusable_windows_are_neither_chosen_nor_counted():
    merits = np.zeros(len(BOXES))
    best = row_of(0, 0, 1, 1)
    merits[best] = 50
    others = np.arange(len(BOXES)) != best
    found = consensus_crops(merits, others, 4)
    assert not (found.boxes == BOXES[best]).all(axis=1).any()
    np.testing.assert_array_equal(found.boxes, consensus_crops(np.zeros(len(BOXES)), others, 4).boxes)


@pytest.mark.parametrize("size", [(300, 200), (100, 100), (90, 160)])
def test_usable_windows_have_usual_shapes(size):
    usable = usable_windows(size)
    sides = (BOXES[:, 2:] - BOXES[:, :2]) * size
    np.testing.assert_array_equal(
        usable, (2 * sides[:, 0] >= sides[:, 1]) & (sides[:, 0] <= 2.1 * sides[:, 1])
    )


def test_a_photo_too_long_for_them_may_have_any():
    assert usable_windows((1000, 100)).all()
