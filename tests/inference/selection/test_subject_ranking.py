import numpy as np
import pytest

from procrop.inference.crop_request import CropRequest
from procrop.inference.selection import select_crops
from procrop.inference.selection.ranking import pick_diverse, relative_scores
from procrop.structures.boxes import box_iou


def greedy(scores, boxes, top_k, most):
    """Non-maximum suppression by its definition."""
    taken = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(box_iou(boxes[index][None], boxes[i][None])[0, 0] <= most for i in taken):
            taken.append(index)
    return taken[:top_k]


@pytest.mark.parametrize("most", [0.0, 0.3, 0.7, 0.95])
def test_a_largest_overlap_is_greedy_suppression(most):
    rng = np.random.default_rng(0)
    for _ in range(50):
        low = rng.uniform(0, 0.7, (25, 2))
        boxes = np.concatenate([low, low + rng.uniform(0.1, 0.3, (25, 2))], axis=1) * 100
        scores = rng.choice([0.1, 0.2, 0.3], 25)
        request = CropRequest(top_k=8, max_overlap=most)
        crops = select_crops(boxes, scores, (100, 100), request, None)
        expected = greedy(scores, boxes, 8, most)
        np.testing.assert_array_equal(crops.boxes, boxes[expected])
        np.testing.assert_array_equal(crops.scores, scores[expected])


def test_no_two_crops_of_a_ratio_overlap_more_than_asked():
    rng = np.random.default_rng(1)
    low = rng.uniform(0, 0.6, (20, 2))
    boxes = np.concatenate([low, low + 0.3], axis=1) * 400
    for most in (0.1, 0.5):
        request = CropRequest(top_k=9, ratio="1:1", max_overlap=most)
        crops = select_crops(boxes, np.ones(20), (400, 400), request, lambda b: box_iou(b, boxes).sum(axis=1))
        overlap = box_iou(crops.boxes, crops.boxes) - np.eye(len(crops.boxes))
        assert len(crops.boxes) > 1 and overlap.max() <= most


def test_rounds_of_choice():
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 9.5], [20, 0, 30, 10], [0, 20, 10, 30]])
    owners = np.array([0, 1, 2, 0, 3])
    order = np.arange(5)
    picks = [pick_diverse(order, boxes, owners, k, None).tolist() for k in range(1, 6)]
    # 4 is another owner's; then 3, of an owner that has one; then 2, nearly the same; never 1, which is the same
    assert picks == [[0], [0, 4], [0, 3, 4], [0, 2, 3, 4], [0, 2, 3, 4]]
    assert pick_diverse(order, boxes, owners, 5, 0.5).tolist() == [0, 3, 4]
    assert pick_diverse(order, boxes, owners, 5, 1.0).tolist() == [0, 2, 3, 4]
    assert pick_diverse(order[::-1], boxes, owners, 2, None).tolist() == [4, 3]


def test_relative_scores():
    np.testing.assert_allclose(relative_scores(np.array([4.0, 2, 0, -1]), 4.0), [1, 0.5, 0, 0])
    np.testing.assert_allclose(relative_scores(np.array([-1.0, -1.5, -2, -9]), -1.0), [1, 0.5, 0, 0])
    np.testing.assert_array_equal(relative_scores(np.array([0.0, -1e-9, np.nan]), 0.0), [1, 0, np.nan])
