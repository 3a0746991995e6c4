"""Windows lie in the photo, have all shapes and sizes asked for, hold the subject, and hang on seed and name alone."""

import numpy as np
import pytest
from plain_teacher import settings

from procrop.generation.windows.drawing import draw_windows

SIZE = (1024, 683)


def spread(rows=32, columns=48):
    return np.ones((rows, columns))


def sides(windows):
    return windows[:, 2] - windows[:, 0], windows[:, 3] - windows[:, 1]


@pytest.fixture(scope="module")
def many():
    return draw_windows(SIZE, spread(), settings(windows=2000, least_subject=0.0), "a")


def test_windows_are_whole_pixels_inside_the_photo(many):
    assert many.shape == (2000, 4) and many.dtype == np.int64
    assert (many[:, :2] >= 0).all() and (many[:, 2:] <= SIZE).all() and (many[:, 2:] > many[:, :2]).all()
    # each edge of the photo is reached, and none is where all windows are
    assert (many.min(axis=0)[:2] == 0).all() and (many.max(axis=0)[2:] == SIZE).all()
    assert (many[:, :2] > 0).all(axis=1).any()


def test_shapes_are_even_in_their_logarithm(many):
    width, height = sides(many)
    shape = np.log(width / height)
    low, high = np.log(0.6), np.log(1.9)
    assert low - 0.01 <= shape.min() < low + 0.02 and high - 0.02 < shape.max() <= high + 0.01
    counts, _ = np.histogram(shape, bins=5, range=(low, high))
    np.testing.assert_allclose(counts, 400, rtol=0.2)


def test_sizes_go_from_the_smallest_to_the_largest_of_their_shape(many):
    width, height = sides(many)
    shape = width / height
    largest = np.minimum(SIZE[0], SIZE[1] * shape)
    scale = width / largest
    assert scale.min() >= 0.55 - 0.005 and scale.max() <= 1.005
    counts, _ = np.histogram(scale, bins=3, range=(0.55, 1))
    np.testing.assert_allclose(counts, 667, rtol=0.15)


def test_windows_hold_enough_of_the_subject():
    subject = np.zeros((6, 9))
    subject[1, 1], subject[4, 7] = 3.0, 1.0  # a cell that holds three quarters, and one with the rest
    windows = draw_windows((900, 600), subject, settings(windows=200, least_subject=0.5), "a")
    assert len(windows) == 200
    width = np.minimum(windows[:, 2], 200) - np.maximum(windows[:, 0], 100)
    height = np.minimum(windows[:, 3], 200) - np.maximum(windows[:, 1], 100)
    other = (windows[:, 2] >= 800) & (windows[:, 3] >= 500) & (windows[:, 0] <= 700) & (windows[:, 1] <= 400)
    kept = 0.75 * width.clip(0) * height.clip(0) / 1e4 + 0.25 * other
    assert kept.min() >= 0.25  # the other cell may be held in part
    assert (kept >= 0.5).mean() > 0.9


def test_where_few_windows_hold_enough_there_are_fewer():
    corners = np.zeros((20, 30))
    corners[0, 0] = corners[0, -1] = corners[-1, 0] = corners[-1, -1] = 1
    windows = draw_windows(SIZE, corners, settings(windows=5, least_subject=0.9), "a")
    assert windows.shape == (0, 4)


def test_seed_and_name_decide():
    subject = spread()
    one = draw_windows(SIZE, subject, settings(windows=6, seed=3), "a/b")
    np.random.seed(5)
    np.testing.assert_array_equal(draw_windows(SIZE, subject, settings(windows=6, seed=3), "a/b"), one)
    np.testing.assert_array_equal(draw_windows(SIZE, subject, settings(windows=2, seed=3), "a/b"), one[:2])
    for seed, name in ((4, "a/b"), (3, "a/c")):
        assert (draw_windows(SIZE, subject, settings(windows=6, seed=seed), name) != one).any(axis=1).all()


def test_tiny_photos_have_windows_of_at_least_a_pixel():
    windows = draw_windows((2, 1), np.ones((1, 2)), settings(windows=20), "a")
    assert len(windows) == 20 and (windows[:, 2:] > windows[:, :2]).all() and (windows[:, 2:] <= [2, 1]).all()
