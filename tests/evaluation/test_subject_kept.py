"""What counts as kept whole, by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest

from procrop.evaluation.comparison import Draws
from procrop.evaluation.kept_table import kept_json, kept_text
from procrop.evaluation.known_subjects import KnownSubject
from procrop.evaluation.mcnemar import mcnemar_p
from procrop.evaluation.subject_kept import (
    ALL,
    can_be_kept,
    keeps_whole,
    largest_crop,
    largest_extent,
    measure_kept,
)

SIZE = (300, 200)


def test_the_largest_crop_of_a_ratio():
    assert largest_extent(SIZE, 1.0) == (200, 200)
    assert largest_extent(SIZE, 16 / 9) == pytest.approx((300, 168.75))
    assert largest_crop(SIZE, 1.0).tolist() == [50, 0, 250, 200]
    assert largest_crop(SIZE, 1.0, (120, 30)).tolist() == [20, 0, 220, 200]
    assert largest_crop(SIZE, 1.0, (20, 30)).tolist() == [0, 0, 200, 200]
    assert largest_crop(SIZE, 2.0, (150, 199)).tolist() == [0, 50, 300, 200]


def test_a_subject_fits_if_both_its_sides_do():
    assert can_be_kept((100, 0, 300, 200), SIZE, 1.0)
    assert not can_be_kept((99, 0, 300, 200), SIZE, 1.0)
    assert not can_be_kept((0, 10, 50, 180), SIZE, 16 / 9)


@pytest.mark.parametrize(
    ("crop", "kept"),
    [
        ((50, 20, 150, 120), True),
        ((53, 22, 147, 118), True),  # 1 % of 300 and of 200
        ((53.1, 20, 150, 120), False),
        ((50, 22.1, 150, 120), False),
        ((50, 20, 146.9, 120), False),
        ((50, 20, 150, 117.9), False),
        ((160, 0, 300, 200), False),
    ],
)
def test_whole_means_but_for_one_percent_of_the_side(crop, kept):
    assert keeps_whole(crop, (50, 20, 150, 120), SIZE) is kept


@pytest.fixture
def photos():
    """A subject that fits into a square, one that does not but has a head that does, and a head in 2:1 alone."""
    return [
        KnownSubject("d", "a", SIZE, "cat", (100, 50, 200, 150), (150, 50, 200, 100)),
        KnownSubject("d", "b", SIZE, "snake", (0, 50, 300, 150), (250, 50, 300, 100)),
        KnownSubject("d", "c", SIZE, "tower", (10, 0, 60, 190)),
    ]


RATIOS = {"1:1": 1.0, "2:1": 2.0}


@pytest.fixture
def crops():
    left, wide = np.array([0.0, 0, 150, 150]), np.array([0.0, 50, 300, 200])
    return {
        "ours": {"1:1": [np.array([100.0, 0, 300, 200])] * 3, "2:1": [wide] * 3},
        "theirs": {"1:1": [left, left, None], "2:1": [wide, None, wide]},
    }


def test_only_photos_count_whose_subject_fits(photos, crops):
    square, wide, both = measure_kept(photos, crops, RATIOS)
    assert (square.ratio, wide.ratio, both.ratio) == ("1:1", "2:1", ALL)
    assert square.photos.tolist() == [0, 2] and wide.photos.tolist() == [0, 1]
    assert both.photos.tolist() == [0, 2, 0, 1]


def test_shares_and_areas(photos, crops):
    square, wide, both = measure_kept(photos, crops, RATIOS)
    assert square.whole["ours"].tolist() == [True, False] and square.share["ours"].tolist() == [1, 0]
    assert square.whole["theirs"].tolist() == [False, False]
    assert square.share["theirs"].tolist() == [0.5, 0]
    assert square.area["ours"] == pytest.approx([2 / 3, 2 / 3])
    # a rejected photo is one that is cut, and has no area
    assert square.area["theirs"] == pytest.approx([0.375, np.nan], nan_ok=True)
    assert wide.whole["theirs"].tolist() == [True, False] and wide.whole["ours"].all()
    assert both.whole["ours"].tolist() == [True, False, True, True]


def test_heads_count_for_themselves(photos, crops):
    square, wide, _ = measure_kept(photos, crops, RATIOS, "head")
    assert square.photos.tolist() == [0, 1] and square.whole["ours"].tolist() == [True, True]
    assert square.share["theirs"].tolist() == [0, 0] and wide.photos.tolist() == [0, 1]


def test_nothing_is_said_of_ratios_that_no_subject_fits(photos, crops):
    (wide,) = measure_kept(photos[1:2], crops, RATIOS)
    assert wide.ratio == "2:1"


def test_how_far_one_is_ahead(photos, crops):
    square, _, both = measure_kept(photos, crops, RATIOS)
    change, p = square.ahead("ours", "theirs", Draws(500))
    assert change.value == 0.5 and (change.low, change.high) == (0, 1) and p == 1
    change, p = both.ahead("ours", "theirs", Draws(500))
    assert change.value == 0.5 and p is None  # photos come several times
    # a photo is drawn with all its ratios: the draws of single photos are wins of 1/2, 1 and 0
    assert 0 <= change.low < change.value < change.high <= 1


def test_table_and_json_say_the_same(photos, crops):
    figures, draws = measure_kept(photos, crops, RATIOS), Draws(200)
    text = kept_text(figures, "ours", draws)
    assert "1:1, subject, 2 photos" in text and "all, subject, 4 questions" in text
    assert "+0.500 [+0.000, +1.000]" in text and "ours ahead [95%]" in text
    square = kept_json(figures, "ours", draws)[0]
    assert (square["ratio"], square["part"], square["photos"]) == ("1:1", "subject", 2)
    assert square["croppers"]["ours"] == {"whole": 0.5, "share": 0.5, "area": pytest.approx(2 / 3)}
    theirs = square["croppers"]["theirs"]
    assert (theirs["whole"], theirs["share"], theirs["area"]) == (0, 0.25, 0.375)
    assert theirs["first_ahead"] == {"value": 0.5, "low": 0, "high": 1, "mcnemar_p": 1}


@pytest.mark.parametrize(
    ("one", "other", "both"), [(0, 0, 3), (1, 0, 2), (5, 0, 1), (9, 2, 4), (3, 3, 0), (0, 40, 9)]
)
def test_mcnemar_is_a_binomial_test_of_the_pairs_that_differ(one, other, both):
    first = np.array([True] * one + [False] * other + [True] * both)
    second = np.array([False] * one + [True] * other + [True] * both)
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar_p(first, second) == pytest.approx(expected)


def test_mcnemar_wants_pairs():
    with pytest.raises(ValueError, match="paired answers must be as many"):
        mcnemar_p(np.zeros(2, bool), np.zeros(3, bool))
