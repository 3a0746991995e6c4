"""The pieces of the line descriptor, on segments whose lines, bins and masses can be worked out by hand."""

import cv2
import numpy as np
import pytest

from procrop.retrieval.line_descriptor import (
    LineBins,
    _soft_bins,
    find_segments,
    line_histogram,
    line_key,
    line_lengths,
    normalised_grey,
)


def _edge(size, points, dark=60, bright=190):
    """A photo (H, W, 3) of ``size`` (width, height), bright inside the polygon (n, 2) in the frame."""
    image = np.full((size[1], size[0]), dark, np.uint8)
    cv2.fillPoly(image, [np.rint(np.array(points) * size).astype(np.int32)], bright)
    return np.dstack([image] * 3)


def test_soft_bins_share_a_value_as_the_quadratic_spline_does():
    weights = _soft_bins(np.array([0.0, 2.0, 2.5, 9.0]), 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[1], [0, 1 / 8, 3 / 4, 1 / 8])
    np.testing.assert_allclose(weights[2], [0, 0, 1 / 2, 1 / 2])
    np.testing.assert_allclose(weights[3], [0, 0, 1 / 8, 7 / 8])  # beyond the last centre: as at it
    circle = _soft_bins(np.array([0.0, 3.5, -0.5, 4.0]), 4, circular=True)
    np.testing.assert_allclose(circle[0], [3 / 4, 1 / 8, 0, 1 / 8])
    np.testing.assert_allclose(circle[1], [1 / 2, 0, 0, 1 / 2])
    np.testing.assert_allclose(circle[2], circle[1])
    np.testing.assert_allclose(circle[3], circle[0])


@pytest.mark.parametrize("size", [(256, 256), (256, 171), (144, 256)])
def test_an_edge_is_found_where_it_is(size):
    segments = find_segments(normalised_grey(_edge(size, [(0, 0.25), (1, 0.75), (1, 1), (0, 1)])))
    assert len(segments) == 1
    ends = segments[0].reshape(2, 2)
    np.testing.assert_allclose(ends[ends[:, 0].argsort()], [(0, 0.25), (1, 0.75)], atol=0.03)


def test_a_line_in_pieces_is_as_long_as_the_whole_line():
    whole = np.array([[0.1, 0.3, 0.9, 0.3]])
    pieces = np.array([[0.1, 0.3, 0.5, 0.3], [0.9, 0.3, 0.5, 0.3]])  # the second one runs backwards
    np.testing.assert_allclose(line_lengths(whole), [0.8])
    np.testing.assert_allclose(line_lengths(pieces), [0.8, 0.8])
    beside = pieces + [[0, 0, 0, 0], [0, 0.1, 0, 0.1]]
    crossing = np.array([[0.1, 0.3, 0.5, 0.3], [0.3, 0.1, 0.3, 0.5]])
    far = np.array([[0.0, 0.3, 0.2, 0.3], [0.8, 0.3, 1.0, 0.3]])
    np.testing.assert_allclose(line_lengths(beside), [0.4, 0.4], atol=1e-5)
    np.testing.assert_allclose(line_lengths(crossing), [0.4, 0.4], atol=1e-5)
    np.testing.assert_allclose(line_lengths(far), [0.2, 0.2], atol=1e-5)
    assert line_lengths(np.array([[0, 0, 1, 1.0]])) == [1]  # never above 1
    assert line_lengths(np.zeros((0, 4))).shape == (0,)


def test_the_histogram_holds_mass_place_direction_and_length():
    bins = LineBins((4, 4), 4, 2)
    segments = np.array([[0.0, 0.375, 1.0, 0.375], [0.875, 0.6, 0.875, 0.8]])
    histogram = line_histogram(segments, np.array([1.0, 0.01]), bins)
    assert histogram.shape == (4, 4, 4, 2)
    long, short = histogram[..., 1], histogram[..., 0]
    # a full line has mass one, whatever its bins; the other one 0.2 times 0.01 squared
    np.testing.assert_allclose(histogram.sum(), 1 + 0.2 * 1e-4)
    # 0.375 is the centre of the second of four rows: 1/8, 3/4, 1/8 of the mass, and so over directions
    np.testing.assert_allclose(long.sum(axis=(1, 2))[:3] / long.sum(), [1 / 8, 3 / 4, 1 / 8], atol=1e-5)
    np.testing.assert_allclose(long.sum(axis=(0, 1)) / long.sum(), [3 / 4, 1 / 8, 0, 1 / 8], atol=1e-5)
    np.testing.assert_allclose(long.sum(axis=(0, 2)), 0.25 * 7 / 8, atol=0.01)  # evenly across
    # the short one is vertical and in the last column
    assert short[:, 3, 2].sum() > 0.5 * short[..., 2].sum() > 0
    assert line_histogram(np.zeros((0, 4)), np.zeros(0), bins).sum() == 0


def test_noise_and_smooth_gradients_have_no_lines():
    rng = np.random.default_rng(0)
    noise = np.clip(rng.normal(128, 12, (256, 256, 3)), 0, 255).astype(np.uint8)
    ramp = np.broadcast_to(np.linspace(80, 150, 256)[None, :, None], (192, 256, 3)).astype(np.uint8)
    for image in (noise, ramp):
        assert line_key(image, LineBins())[-1] > 0.99


def test_a_long_line_outweighs_texture_of_the_same_length_in_sum():
    bins = LineBins()
    line = np.array([[0.0, 0.5, 1.0, 0.5]])
    rng = np.random.default_rng(3)
    starts, turns = rng.uniform(0.1, 0.9, (20, 2)), rng.uniform(0, np.pi, 20)
    texture = np.hstack([starts, starts + 0.05 * np.stack([np.cos(turns), np.sin(turns)], axis=1)])
    masses = [line_histogram(s, line_lengths(s), bins).sum() for s in (line, texture)]
    assert masses[0] > 50 * masses[1]
