"""Agreement in composition, on cases worked out by hand."""

import math

import numpy as np
import pytest

from procrop.evaluation.functional import (
    neighbour_overlap,
    orientation_agreement,
    orientation_histogram,
    position_agreement,
    saliency_centroid,
)


def test_a_histogram_shares_lengths_by_angle():
    # bins of 45 degrees: 3 of length at 0, 1 half way between 45 and 90 degrees, 4 at 135
    angles = np.deg2rad([0.0, 67.5, 135.0])
    histogram = orientation_histogram(angles, [3, 1, 4], bins=4)
    np.testing.assert_allclose(histogram, np.array([3, 0.5, 0.5, 4]) / 8)


def test_directions_repeat_after_half_a_turn():
    angles = np.deg2rad([10.0, 100.0, 170.0])
    plain = orientation_histogram(angles, [1, 2, 3])
    for shift in (-np.pi, np.pi, 4 * np.pi):
        np.testing.assert_allclose(orientation_histogram(angles + shift, [1, 2, 3]), plain, atol=1e-12)
    # just below a half turn is nearly horizontal
    np.testing.assert_allclose(
        orientation_histogram([np.pi - 1e-12], [1], 6), orientation_histogram([0.0], [1], 6), atol=1e-9
    )
    np.testing.assert_allclose(orientation_histogram([-1e-18], [1], 6), [1, 0, 0, 0, 0, 0], atol=1e-12)


def test_without_edges_no_direction_is_preferred():
    np.testing.assert_allclose(orientation_histogram([], [], 4), [0.25] * 4)
    np.testing.assert_allclose(orientation_histogram([1.0], [0.0], 4), [0.25] * 4)


def test_agreement_is_what_both_histograms_share():
    assert orientation_agreement([0.5, 0.5, 0, 0], [0, 0.25, 0.75, 0]) == pytest.approx(0.25)
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet(np.ones(12), 2)
    agreement = orientation_agreement(first, second)
    assert agreement == pytest.approx(1 - np.abs(first - second).sum() / 2)  # 1 minus the total variation
    assert agreement == orientation_agreement(second, first)
    assert orientation_agreement(first, first) == pytest.approx(1)


def test_mirrored_diagonals_disagree():
    rising, falling = (orientation_histogram(np.deg2rad([a]), [1]) for a in (45, 135))
    assert orientation_agreement(rising, falling) == 0
    assert orientation_agreement(rising, orientation_histogram(np.deg2rad([52.5]), [1])) == pytest.approx(0.5)


def test_the_centroid_is_that_of_what_stands_out():
    saliency = np.zeros((4, 10))
    saliency[1, 2] = 5
    assert saliency_centroid(saliency) == pytest.approx((0.25, 0.375))
    saliency[1, 7] = 5  # as strong, five columns on
    assert saliency_centroid(saliency) == pytest.approx((0.5, 0.375))
    # one of 3 and one of 1 over a mean of 0.1: weights 2.9 squared and 0.9 squared
    saliency[1, 2], saliency[1, 7] = 3, 1
    left, right = 2.9**2, 0.9**2
    assert saliency_centroid(saliency)[0] == pytest.approx((0.25 * left + 0.75 * right) / (left + right))
    assert saliency_centroid(saliency * 7) == pytest.approx(saliency_centroid(saliency))


def test_a_map_without_contrast_has_its_centroid_in_the_middle():
    assert saliency_centroid(np.full((3, 5), 0.7)) == (0.5, 0.5)
    assert saliency_centroid(np.zeros((1, 1))) == (0.5, 0.5)


def test_positions_agree_by_distance_over_the_diagonal():
    assert position_agreement((0.3, 0.4), (0.3, 0.4)) == 1
    assert position_agreement((0, 0), (1, 1)) == pytest.approx(0)
    assert position_agreement((0.2, 0.5), (0.7, 0.5)) == pytest.approx(1 - 0.5 / math.sqrt(2))


def test_overlap_is_the_share_in_common():
    assert neighbour_overlap(["a", "b", "c", "d"], ["d", "x", "a", "y"]) == 0.5
    assert neighbour_overlap(["a", "b"], ["b", "a"]) == 1
    assert neighbour_overlap(["a"], ["a", "b", "c", "d"]) == 0.25
    assert neighbour_overlap([], ["a"]) == 0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="bins"):
        orientation_histogram([0.0], [1.0], 1)
    with pytest.raises(ValueError, match="lengths"):
        orientation_histogram([0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="negative"):
        orientation_histogram([0.0], [-1.0])
    with pytest.raises(ValueError, match="cannot be compared"):
        orientation_agreement([1.0, 0], [1.0, 0, 0])
    with pytest.raises(ValueError, match="saliency"):
        saliency_centroid(np.zeros((0, 4)))
    with pytest.raises(ValueError, match="no neighbours"):
        neighbour_overlap([], [])
