from fractions import Fraction

import numpy as np
import pytest
from exact_reference import is_exact

from procrop.inference.crop_request import CropRequest
from procrop.inference.selection import AspectRatio, ImpossibleCropError, select_crops
from procrop.structures.boxes import box_area, box_iou, kept_share

RATIOS = ["1:1", "4:5", "16:9", "1.91:1", "original", "21:9", "1:2", "9:16", "3:2", "20:1", "0.07"]


def predictions(rng, size, n=4):
    """Boxes of at least a twentieth of a side, and their scores."""
    low = rng.uniform(0, 0.95, (n, 2))
    high = rng.uniform(low + 0.05, 1)
    return np.concatenate([low, high], axis=1) * [*size, *size], rng.uniform(size=n)


def vote(boxes, scores):
    """What a set predictor's score_boxes is."""
    return lambda given: box_iou(given, boxes) ** 4 @ scores


def size_of(box):
    return int(box[2] - box[0]), int(box[3] - box[1])


def exact_sizes(ratio, size):
    """All exact sizes in a photo, one by one."""
    return [
        (w, h)
        for w in range(1, size[0] + 1)
        for h in range(1, size[1] + 1)
        if abs(w - h * float(ratio)) <= 1.01 + float(ratio) and any(is_exact(ratio, w, h))
    ]


def test_every_crop_of_a_ratio_is_exact_and_inside():
    rng = np.random.default_rng(0)
    for round_ in range(1500):
        size = tuple(int(v) for v in np.exp(rng.uniform(0, np.log(3000), 2)).round())
        text = RATIOS[round_ % len(RATIOS)]
        ratio = AspectRatio.parse(text, size).value
        boxes, scores = predictions(rng, size)
        area = rng.uniform(0, 0.3)
        try:
            crops = select_crops(
                boxes, scores, size, CropRequest(ratio=text, min_area=area), vote(boxes, scores)
            )
        except ImpossibleCropError:
            longest = min(size[0], size[1] * float(ratio)), min(size[1], size[0] / float(ratio))
            assert np.prod(longest) < area * np.prod(size) + max(size)
            continue
        assert 1 <= len(crops.boxes) <= 3
        for box in crops.boxes:
            assert (box == np.rint(box)).all()
            assert (box[:2] >= 0).all() and (box[2:] <= size).all() and (box[2:] > box[:2]).all()
            assert any(is_exact(ratio, *size_of(box)))
        assert (box_area(crops.boxes) >= area * np.prod(size) * (1 - 1e-9)).all()
        assert (np.diff(crops.scores) <= 0).all() and 0 <= crops.scores[-1] and crops.scores[0] <= 1


def test_a_named_subject_is_whole_wherever_pixels_allow_and_else_as_whole_as_they_do():
    rng = np.random.default_rng(1)
    whole = cut = 0
    for round_ in range(600):
        size = tuple(int(v) for v in rng.integers(1, 25, 2))
        text = RATIOS[round_ % len(RATIOS)]
        sizes = np.array(exact_sizes(AspectRatio.parse(text, size).value, size))
        low = np.floor(rng.uniform(0, size))
        high = np.ceil(rng.uniform(low + 0.01, size))
        area = float(rng.choice([0.0, 0.2]))
        sizes = sizes[sizes.prod(axis=1) >= area * np.prod(size)]
        boxes, scores = predictions(rng, size)
        request = CropRequest(ratio=text, min_area=area, subject=(*low, *high))
        if not len(sizes):
            with pytest.raises(ImpossibleCropError, match="covers at most"):
                select_crops(boxes, scores, size, request, vote(boxes, scores))
            continue
        crops = select_crops(boxes, scores, size, request, vote(boxes, scores))
        possible = np.minimum(sizes, high - low).prod(axis=1).max() / (high - low).prod()
        kept = kept_share(crops.boxes, request.subject)
        np.testing.assert_allclose(kept, possible, rtol=1e-12)
        assert (possible < 1) or (kept == 1).all()
        whole, cut = whole + (possible == 1), cut + (possible < 1)
    assert whole > 100 and cut > 100


def test_the_score_is_that_of_the_head_relative_to_the_best():
    boxes = np.array([[10.0, 10, 70, 50], [30, 20, 90, 80]])
    seen = []

    def head(given):
        seen.append(given)
        return given[:, 0] + 1  # the further right the better

    crops = select_crops(boxes, np.array([0.9, 0.1]), (100, 100), CropRequest(ratio="1:1", top_k=50), head)
    (given,) = seen
    best = given[:, 0].max() + 1
    assert {tuple(box) for box in boxes} <= {
        tuple(box) for box in given
    }  # predictions count for what is best
    np.testing.assert_allclose(crops.scores, (crops.boxes[:, 0] + 1) / best)
    assert crops.boxes[0, 0] == max(box[0] for box in given if box[2] - box[0] == box[3] - box[1])


def test_a_head_whose_scores_are_not_above_nothing_ranks_all_the_same():
    boxes = np.array([[10.0, 10, 70, 50], [30, 20, 90, 80]])
    for shift, best in ((-200, 0.0), (-101, 1.0)):
        crops = select_crops(
            boxes, np.ones(2), (100, 100), CropRequest(ratio="1:1"), lambda b, s=shift: b[:, 2] + s
        )
        assert crops.boxes[0, 2] == max(crops.boxes[:, 2])
        assert np.isfinite(crops.scores).all() and (crops.scores >= best * 0).all()
    same = select_crops(boxes, np.ones(2), (100, 100), CropRequest(ratio="1:1"), lambda b: np.zeros(len(b)))
    assert (same.scores == 1).all()


def test_a_candidate_without_a_score_never_wins():
    boxes = np.array([[0.0, 0, 60, 40], [50, 50, 90, 90]])

    def head(given):
        return np.where(given[:, 0] < 50, np.nan, 0.5)

    crops = select_crops(boxes, np.array([0.9, 0.1]), (100, 100), CropRequest(ratio="1:1", top_k=90), head)
    assert len(crops.boxes) and (crops.boxes[:, 0] >= 50).all() and (crops.scores == 1).all()
    none = select_crops(
        boxes, np.ones(2), (100, 100), CropRequest(ratio="1:1"), lambda b: np.full(len(b), np.nan)
    )
    assert none.boxes.shape == (0, 4) and none.focal_points.shape == (0, 2)


def test_equal_scores_go_by_kind_of_candidate_then_by_prediction():
    boxes = np.array([[20.0, 30, 60, 70], [0, 0, 100, 50]])
    crops = select_crops(
        boxes, np.array([0.5, 0.9]), (100, 100), CropRequest(ratio="1:1", top_k=2), lambda b: np.ones(len(b))
    )
    # the same area and centre, the better prediction first: sqrt(5000) = 70.7, moved into the photo
    assert crops.boxes.tolist() == [[14, 0, 85, 71], [20, 30, 60, 70]]


def test_the_largest_crop_of_the_photo_wins_only_by_its_score():
    boxes, scores = np.array([[40.0, 10, 60, 20]]), np.array([0.9])
    request = CropRequest(ratio="1:1", top_k=1)
    small = select_crops(boxes, scores, (100, 50), request, vote(boxes, scores)).boxes[0]
    assert box_area(small) < 50 * 50
    large = select_crops(boxes, scores, (100, 50), request, box_area).boxes[0]
    assert large.tolist() == [25, 0, 75, 50]  # as near to the prediction's centre as can be


def test_a_crop_is_no_centre_cut():
    boxes = np.array([[0.0, 0, 30, 30]])
    crops = select_crops(boxes, np.ones(1), (300, 100), CropRequest(ratio="1:1", top_k=99), box_area)
    assert (crops.boxes[:, 0] < 30).all()


def test_a_found_subject_counts_half_and_a_named_one_wholly():
    boxes = np.array([[0.0, 0, 50, 50], [50, 0, 100, 50]])
    subject = np.array([60.0, 10, 80, 30])

    def prefers_left(strength):
        return lambda given: np.where(given[:, 0] < 30, 1.0, strength)

    def first(strength, **what):
        request = CropRequest(ratio="1:1", top_k=1, subject=what.get("subject"))
        return select_crops(boxes, np.ones(2), (100, 50), request, prefers_left(strength), what.get("found"))

    crop = first(0.4, found=subject)
    assert crop.boxes[0, 0] < 30 and crop.scores[0] == 1 - 0.5 * (1 - kept_share(crop.boxes, subject)[0])
    crop = first(0.9, found=subject)
    assert kept_share(crop.boxes, subject)[0] == 1 and crop.scores[0] == 0.9
    crop = first(0.01, subject=tuple(subject))
    assert kept_share(crop.boxes, subject)[0] == 1
    named_over_found = first(0.01, subject=(0.0, 0, 20, 20), found=subject)
    assert named_over_found.boxes[0, 0] == 0 and named_over_found.subject.tolist() == [0, 0, 20, 20]


def test_a_subject_that_is_too_wide_is_covered_as_far_as_can_be():
    boxes = np.array([[0.0, 0, 200, 200], [500, 100, 640, 300]])
    request = CropRequest(ratio="1:1", subject=(20, 100, 620, 200))
    crops = select_crops(boxes, np.ones(2), (640, 480), request, vote(boxes, np.ones(2)))
    np.testing.assert_allclose(kept_share(crops.boxes, request.subject), 480 / 600)
    assert (box_area(crops.boxes) == 480 * 480).all() and len(crops.boxes) == 2


def test_a_size_asks_for_its_ratio_however_many_pixels_the_crop_has():
    rng = np.random.default_rng(2)
    boxes, scores = predictions(rng, (90, 60))
    ask = [CropRequest(size=(1600, 900)), CropRequest(size=(16, 9)), CropRequest(ratio="16:9")]
    results = [select_crops(boxes, scores, (90, 60), request, vote(boxes, scores)) for request in ask]
    for result in results[1:]:
        np.testing.assert_array_equal(result.boxes, results[0].boxes)
    assert any(is_exact(Fraction(16, 9), *size_of(results[0].boxes[0])))


def test_the_order_of_predictions_and_repetition_change_nothing():
    rng = np.random.default_rng(3)
    boxes, scores = predictions(rng, (640, 480), 30)
    request = CropRequest(ratio="4:5", top_k=10)
    first = select_crops(boxes, scores, (640, 480), request, vote(boxes, scores))
    for _ in range(3):
        p = rng.permutation(30)
        again = select_crops(boxes[p], scores[p], (640, 480), request, vote(boxes, scores))
        np.testing.assert_array_equal(again.boxes, first.boxes)
        np.testing.assert_array_equal(again.scores, first.scores)


def test_nothing_asked_leaves_the_predictions_alone():
    rng = np.random.default_rng(4)
    boxes, scores = predictions(rng, (640, 480), 10)
    boxes[3] = boxes[2]  # not even equal ones are sorted out
    scores[5] = scores[6]
    order = np.argsort(-scores, kind="stable")[:9]

    def refuse(_):
        raise AssertionError("the head's own scores are there")

    crops = select_crops(boxes, scores, (640, 480), CropRequest(top_k=9), refuse, np.array([0, 0, 9, 9.0]))
    np.testing.assert_array_equal(crops.boxes, boxes[order])
    np.testing.assert_array_equal(crops.scores, scores[order])


def test_predictions_that_are_none_are_left_out():
    boxes = np.array([[0, 0, np.nan, 9], [5, 5, 5, 9], [-9, -9, 500, 500], [1, 1, 2, 2.0]])
    crops = select_crops(boxes, np.array([1, 1, 0.5, np.inf]), (40, 30), CropRequest(), None)
    assert crops.boxes.tolist() == [[0, 0, 40, 30]]
    for request in (CropRequest(), CropRequest(ratio="1:1"), CropRequest(min_area=0.5)):
        assert select_crops(np.zeros((0, 4)), np.zeros(0), (40, 30), request, None).boxes.shape == (0, 4)
