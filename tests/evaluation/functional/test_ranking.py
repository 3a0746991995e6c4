"""Order of predictions, choice of the best annotated crops, validity of annotated crops."""

import numpy as np
import pytest

from procrop.evaluation.functional import rank_order, top_crops, valid_crops


def test_rank_order_breaks_ties_by_position_and_puts_nan_last():
    assert rank_order([0.2, np.nan, 0.9, 0.2, np.inf, 0.9]).tolist() == [2, 5, 0, 3, 1, 4]
    assert rank_order([]).tolist() == []


def test_top_crops_with_ties():
    mos = [3.0, 4.0, 4.0, 5.0, 4.0, 1.0]
    assert top_crops(mos, 2).tolist() == [3, 1]
    assert top_crops(mos, 2, "include").tolist() == [3, 1, 2, 4]
    assert top_crops(mos, 4, "include").tolist() == [3, 1, 2, 4]
    assert top_crops(mos, 99).tolist() == top_crops(mos, 99, "include").tolist() == [3, 1, 2, 4, 0, 5]


def test_top_crops_refuses_nonsense():
    with pytest.raises(ValueError, match="N of 1 or more"):
        top_crops([1.0], 0)
    with pytest.raises(ValueError, match="ties must be one of"):
        top_crops([1.0], 1, "both")


def test_valid_crops():
    boxes = [[0, 0, 5, 5], [5, 0, 5, 5], [0, 5, 5, 1], [np.nan, 0, 5, 5], [-1, -1, -1, -1], [0, 0, np.inf, 5]]
    assert valid_crops(boxes).tolist() == [True, False, False, False, False, False]
    same = [[0, 0, 5, 5]] * 4
    assert valid_crops(same, [-2, 0.86, np.nan, 5]).tolist() == [False, True, False, True]
    assert valid_crops([]).tolist() == []
