"""Floors against full enumeration of all rankings, and against sampling where that is too long."""

from itertools import permutations

import numpy as np
import pytest

from procrop.evaluation import functional as f
from procrop.structures import gaic_grid_anchors
from procrop.structures.boxes import box_iou

SIZE = (400.0, 300.0)


def _data(seed, m=5):
    rng = np.random.default_rng(seed)
    boxes = gaic_grid_anchors(*SIZE)[rng.permutation(87)[:m]]
    return boxes, rng.integers(4, 8, m) / 2.0  # ties


def _all_rankings(m):
    return [list(order) for order in permutations(range(m))]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ties", ["file_order", "include"])
def test_accuracy_floors_are_means_over_all_rankings(seed, ties):
    boxes, mos = _data(seed)
    iou = box_iou(boxes, boxes)
    ks, eps, orders = (1, 2, 4, 7), 0.7, _all_rankings(5)
    for n in (1, 2, 3):
        expected = np.mean([f.topn_accuracy(iou[order], mos, n, ks, eps, ties) for order in orders], axis=0)
        np.testing.assert_allclose(f.random_topn_accuracy(iou, mos, n, ks, eps, ties), expected, atol=1e-12)
        expected = np.mean([f.best_crop_recall(iou[order], mos, n, eps, ties) for order in orders])
        assert f.random_best_crop_recall(iou, mos, n, eps, ties) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_grid_floors_are_means_over_all_rankings(seed):
    _, mos = _data(seed)
    ks, orders = (1, 2, 4, 7), np.array(_all_rankings(5))
    for n in (1, 3, 9):
        expected = np.mean([f.grid_accuracy(-order, mos, n, ks) for order in orders], axis=0)
        np.testing.assert_allclose(f.random_grid_accuracy(mos, n, ks), expected, atol=1e-12)
        expected = np.mean([f.weighted_grid_accuracy(-order, mos, n, ks, 0.3) for order in orders], axis=0)
        np.testing.assert_allclose(f.random_weighted_grid_accuracy(5, n, ks, 0.3), expected, atol=1e-12)
    correlations = [f.srcc(-order, mos) for order in orders]
    assert np.mean(correlations) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("mode", ["same_annotation", "independent"])
@pytest.mark.parametrize("seed", range(4))
def test_iou_disp_floors_are_means_over_all_rankings(seed, mode):
    boxes, mos = _data(seed)
    gt = boxes[f.top_crops(mos, 2)]
    topk = (1, 2, 3, 8)
    singles = f.iou_disp_per_prediction(boxes, gt, SIZE, mode)
    expected = np.mean([f.iou_disp(boxes[order], gt, SIZE, topk, mode) for order in _all_rankings(5)], axis=0)
    np.testing.assert_allclose(f.random_iou_disp(*singles, topk, mode), expected, atol=1e-12)


def test_sampled_floor_is_repeatable_and_near_the_mean_over_all_rankings():
    boxes, mos = _data(2)
    iou = box_iou(boxes, boxes)
    orders = _all_rankings(5)
    expected = np.mean(
        [f.topn_accuracy(iou[o], mos, 3, (1, 2, 4), 0.7, one_to_one=True) for o in orders], axis=0
    )
    got = [
        f.random_topn_accuracy(iou, mos, 3, (1, 2, 4), 0.7, "file_order", True, 4000, (0, 1))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(got[0], got[1])
    np.testing.assert_allclose(got[0], expected, atol=0.03)


def test_simple_crops():
    assert f.full_photo(SIZE).tolist() == [[0, 0, 400, 300]]
    np.testing.assert_allclose(f.centre_crop(SIZE), [[40, 30, 360, 270]])
    np.testing.assert_allclose(f.centre_crop(SIZE, 0.5), [[100, 75, 300, 225]])


def test_large_sets_agree_with_sampling():
    rng = np.random.default_rng(0)
    boxes = gaic_grid_anchors(*SIZE)
    mos = rng.integers(4, 20, len(boxes)) / 4.0
    iou = box_iou(boxes, boxes)
    draws = [rng.permutation(len(boxes)) for _ in range(3000)]
    sampled = np.mean([f.topn_accuracy(iou[d], mos, 5) for d in draws], axis=0)
    np.testing.assert_allclose(f.random_topn_accuracy(iou, mos, 5), sampled, atol=0.02)
    sampled = np.mean([f.best_crop_recall(iou[d], mos, 10) for d in draws])
    assert f.random_best_crop_recall(iou, mos, 10) == pytest.approx(sampled, abs=0.03)


def test_nothing_to_rank_is_an_error():
    with pytest.raises(ValueError, match="at least one box"):
        f.random_iou_disp([], [])
    with pytest.raises(ValueError, match="mode must be"):
        f.random_iou_disp([1.0], [0.0], mode="x")
