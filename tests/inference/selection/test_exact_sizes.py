from fractions import Fraction

import numpy as np
import pytest
from exact_reference import is_exact, nearest_heights, nearest_widths

from procrop.inference.selection import AspectRatio, ExactSizes, ImpossibleCropError

RATIOS = ["1:1", "4:5", "5:4", "16:9", "9:16", "1.91:1", "21:9", "1:2", "20:1", "1:20", "1.01", "0.99"]


@pytest.mark.parametrize("text", RATIOS)
def test_all_sizes_of_a_small_photo_are_those_of_the_definition(text):
    ratio = AspectRatio.parse(text)
    for photo in [(1, 1), (7, 2), (2, 7), (13, 18), (18, 13)]:
        sizes = ExactSizes(ratio, photo)
        by_height = {(w, h) for h in range(1, photo[1] + 1) for w in nearest_widths(ratio.value, h, 370)}
        by_width = {(w, h) for w in range(1, photo[0] + 1) for h in nearest_heights(ratio.value, w, 370)}
        fits = {(w, h) for w, h in by_height | by_width if w <= photo[0] and h <= photo[1]}
        found = {tuple(map(int, size)) for size in (*sizes.regular, *sizes.rough)}
        assert found == fits
        for sides in (sizes.regular, sizes.rough):
            assert (np.diff(sides, axis=0) >= 0).all()


@pytest.mark.parametrize("text", RATIOS)
def test_regular_sizes_are_exact_both_ways(text):
    ratio = AspectRatio.parse(text)
    sizes = ExactSizes(ratio, (700, 600)).regular
    short, long = (1, 0) if ratio.value >= 1 else (0, 1)
    longest = int(sizes[-1, short])
    assert np.unique(sizes[:, short]).tolist() == list(
        range(1, longest + 1)
    )  # each length, until the photo ends
    beyond = (longest + 1) * max(ratio.value, 1 / ratio.value)
    assert longest == (700, 600)[short] or beyond > (700, 600)[long] + Fraction(1, 2)
    assert all(is_exact(ratio.value, int(w), int(h)) == (True, True) for w, h in sizes)


def test_the_photos_own_ratio_has_the_photo_among_its_sizes():
    for photo in [(641, 427), (427, 641), (1, 1), (3, 1000)]:
        sizes = ExactSizes(AspectRatio.parse("original", photo), photo, min_area=1.0)
        assert sizes.regular.tolist() == [list(photo)] and sizes.largest.tolist() == list(photo)


def test_a_photo_of_a_few_pixels_has_a_rough_size():
    assert ExactSizes(AspectRatio.parse("16:9"), (1, 5)).largest.tolist() == [1, 1]
    assert ExactSizes(AspectRatio.parse("16:9"), (2, 5)).largest.tolist() == [2, 1]


def test_a_least_area_that_no_crop_of_the_ratio_has():
    ratio = AspectRatio.parse("1:1")
    assert ExactSizes(ratio, (640, 480), 0.75).regular.tolist() == [[480, 480]]
    with pytest.raises(
        ImpossibleCropError, match=r"1:1 covers at most 75.00% of a photo of 640 x 480 .* at most 0.75"
    ):
        ExactSizes(ratio, (640, 480), 0.76)
    with pytest.raises(ValueError, match="at most 0.4444"):
        ExactSizes(ratio, (900, 400), 0.4445)


def test_lookup_of_sizes():
    sizes = ExactSizes(AspectRatio.parse("3:2"), (300, 300))
    extents = np.array([[31, 10], [3, 2], [30, 40], [299, 10], [10, 201]])
    around, found = sizes.containing(extents)
    assert around.tolist() == [[31, 21], [3, 2], [60, 40], [299, 199], [300, 200]]
    assert found.tolist() == [True, True, True, True, False]
    within, found = sizes.inside(np.array([[31, 10], [3, 2], [1, 1], [2, 0]]))
    assert within[:2].tolist() == [[15, 10], [3, 2]]
    assert found.tolist() == [True, True, True, False]
    assert sizes.of_area(np.array([0.0, 150.0, 149.0, 1e9])).tolist() == [
        [1, 1],
        [15, 10],
        [15, 10],
        [300, 200],
    ]


def test_the_size_that_holds_the_most():
    sizes = ExactSizes(AspectRatio.parse("1:1"), (640, 480))
    assert sizes.holding(np.array([100, 300])).tolist() == [300, 300]
    assert sizes.holding(np.array([500, 20])).tolist() == [480, 480]
