"""WindowMerit against its formula worked out cell by cell, and what it prefers."""

import numpy as np
import pytest

from procrop.generation.curation.principles.raster_shares import mass_in
from procrop.generation.curation.window_merit import WindowMerit

ONLY = dict(price=0.0, balance=0.0, edge=0.0, headroom=0.0, size=0.0, shape=0.0)
BOXES = np.array([[0, 0, 1, 1], [0.25, 0.25, 0.75, 0.75], [0.5, 0, 1, 0.5]])


def spot(x, y, size=40):
    """A map with a round subject there."""
    at = (np.arange(size) + 0.5) / size
    return (((at - x) ** 2)[None] + ((at - y) ** 2)[:, None] < 0.1**2).astype(np.float32)


def test_mass_counts_cells_by_the_share_that_lies_inside():
    raster = np.arange(12.0).reshape(3, 4)
    boxes = np.array([[0, 0, 1, 1], [0.125, 0, 0.5, 1 / 3], [0.25, 0.5, 0.75, 1]])
    np.testing.assert_allclose(mass_in(raster, boxes), [66, 0.5 * 0 + 1, 0.5 * (5 + 6) + 9 + 10])


@pytest.mark.parametrize(
    "weights, expected",
    [
        (dict(), [1, 1, 0]),
        (dict(price=0.3), [1 - 0.3, 1 - 0.075, -0.075]),
        (
            dict(size=0.2, usual_area=0.5),
            [1 - 0.2 * np.log(2) ** 2, *(k - 0.2 * np.log(0.5) ** 2 for k in (1, 0))],
        ),
    ],
)
def test_terms_by_hand(weights, expected):
    merit = WindowMerit(**(ONLY | weights))(spot(0.5, 0.5)[:, :], BOXES[:, :] * [1, 1, 1, 1])
    kept_corner = mass_in(spot(0.5, 0.5), BOXES[2:])[0] / spot(0.5, 0.5).sum()
    np.testing.assert_allclose(merit, np.array(expected) + [0, 0, kept_corner], atol=1e-9)


def test_shape_is_relative_to_the_photos():
    boxes = np.array([[0, 0, 0.5, 0.5], [0, 0, 1, 0.5], [0, 0, 0.5, 1]])
    merit = WindowMerit(**(ONLY | dict(shape=1.0)))(np.zeros((4, 4)), boxes)
    np.testing.assert_allclose(merit, [0, -(np.log(2) ** 2), -(np.log(2) ** 2)])


def test_an_edge_costs_by_the_densest_part_of_what_it_runs_through():
    stripe = np.zeros((50, 50))
    stripe[:, 20:30] = 1  # density 5 in x from 0.4 to 0.6
    boxes = np.array([[0.5, 0.2, 0.9, 0.8], [0.7, 0.2, 0.95, 0.8], [0, 0, 1, 0.5], [0, 0, 1, 1]])
    merit = WindowMerit(**(ONLY | dict(edge=1.0)))(stripe, boxes) - mass_in(stripe, boxes) / stripe.sum()
    # the left edge runs in the stripe; of the upper and lower ones a quarter does, and 15 % count; the third crop's
    # lower edge has a fifth in it; the photo's own border costs nothing
    root = np.sqrt(5)
    np.testing.assert_allclose(merit, [-3 * root, 0, -root, 0], atol=1e-9)


def test_half_a_strip_over_the_subject_costs_half():
    block = np.zeros((100, 100))
    block[:, :50] = 1  # density 2
    merit = WindowMerit(**(ONLY | dict(edge=1.0)))(block, np.array([[0.5, 0, 1, 1], [0.52, 0, 1, 1]]))
    np.testing.assert_allclose(merit, [-np.sqrt(2) / 2, -np.sqrt(2) / 6], atol=1e-9)


def test_taking_off_above_costs_what_taking_off_below_gains():
    boxes = np.array([[0, 0.2, 1, 1], [0, 0, 1, 0.8], [0, 0.1, 1, 0.9]])
    merit = WindowMerit(**(ONLY | dict(headroom=0.5)))(np.zeros((4, 4)), boxes)
    np.testing.assert_allclose(merit, [-0.1, 0.1, 0], atol=1e-12)


def test_balance_is_that_of_the_principle():
    centred, aside = WindowMerit(**(ONLY | dict(balance=1.0)))(
        spot(0.5, 0.5), np.array([[0.2, 0.2, 0.8, 0.8], [0.4, 0.2, 1.0, 0.8]])
    )
    assert centred == pytest.approx(2) and aside == pytest.approx(1 + 1 - 2 * (0.5 - 0.1 / 0.6), abs=0.01)


def test_the_scale_of_the_map_does_not_count():
    for subject in (spot(0.3, 0.6), np.random.default_rng(0).random((20, 30))):
        np.testing.assert_allclose(WindowMerit()(subject, BOXES), WindowMerit()(7 * subject, BOXES))


def test_a_subject_kept_is_worth_more_than_one_cut_or_lost():
    boxes = np.array([[0.1, 0.1, 0.9, 0.9], [0.3, 0.1, 1.0, 0.9], [0.45, 0.1, 1.0, 0.9]])
    merit = WindowMerit()(spot(0.3, 0.5), boxes)
    assert merit[0] > merit[1] > merit[2]
