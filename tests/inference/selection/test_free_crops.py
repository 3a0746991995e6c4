"""Subjects, least areas and focal points where the shape of a crop is free."""

import numpy as np
import pytest

from procrop.inference.crop_request import CropRequest
from procrop.inference.selection import ImpossibleCropError, select_crops
from procrop.inference.selection.candidates import free_candidates
from procrop.structures.boxes import aspect_ratio, box_area, kept_share

SIZE = (640, 480)


def ones(boxes):
    return np.ones(len(boxes))


def test_predictions_that_cut_the_subject_are_widened_to_hold_it_and_no_further():
    boxes = np.array([[100.0, 100, 300, 300], [0, 0, 640, 480], [400, 10, 500, 60]])
    request = CropRequest(subject=(250.5, 150, 350, 280))
    crops = select_crops(boxes, np.array([0.9, 0.8, 0.7]), SIZE, request, ones)
    assert crops.boxes.tolist() == [[100, 100, 350, 300], [0, 0, 640, 480], [250.5, 10, 500, 280]]


def test_a_subject_that_was_found_changes_no_free_crop():
    boxes = np.array([[100.0, 100, 300, 300]])
    crops = select_crops(boxes, np.ones(1), SIZE, CropRequest(), None, np.array([250.0, 150, 400, 200]))
    assert crops.boxes.tolist() == boxes.tolist()
    assert crops.focal_points.tolist() == [[275, 175]]


def test_small_predictions_grow_about_their_centre_in_their_own_shape():
    boxes = np.array([[300.0, 200, 340, 230], [0, 0, 600, 400]])
    grown = free_candidates(boxes, SIZE, 0.25, None)
    assert grown[1].tolist() == boxes[1].tolist()
    np.testing.assert_allclose(grown[0], [160, 95, 480, 335])


def test_growing_crops_stay_inside_and_hold_what_they_held():
    rng = np.random.default_rng(0)
    for _ in range(300):
        size = rng.integers(1, 2000, 2)
        low = rng.uniform(0, 0.95, (20, 2))
        boxes = np.concatenate([low, rng.uniform(low + 0.01, 1)], axis=1) * np.tile(size, 2)
        area = float(rng.choice([rng.uniform(), 1.0]))
        grown = free_candidates(boxes, tuple(size), area, None)
        assert (grown >= 0).all() and (grown[:, 2:] <= size).all()
        np.testing.assert_array_less(area * size.prod() * (1 - 1e-9), box_area(grown))
        small = box_area(boxes) < area * size.prod()
        np.testing.assert_allclose(box_area(grown[small]), area * size.prod())
        np.testing.assert_array_equal(grown[~small], boxes[~small])
        edge = 1e-9 * size.max()
        assert (grown[:, :2] <= boxes[:, :2] + edge).all() and (grown[:, 2:] >= boxes[:, 2:] - edge).all()
        fits = ((grown[:, 2:] - grown[:, :2]) < size * (1 - 1e-9)).all(axis=1)
        np.testing.assert_allclose(aspect_ratio(grown[fits]), aspect_ratio(boxes[fits]), rtol=1e-6)


def test_the_whole_photo_where_the_area_is_all():
    boxes = np.array([[0.0, 0, 10, 300], [100, 5, 600, 9]])
    crops = select_crops(boxes, np.ones(2), SIZE, CropRequest(min_area=1.0), ones)
    np.testing.assert_allclose(crops.boxes, [[0, 0, 640, 480]])


def test_changed_predictions_are_scored_anew():
    boxes = np.array([[0.0, 0, 400, 400], [500, 100, 600, 200]])
    crops = select_crops(
        boxes, np.array([0.9, 0.1]), SIZE, CropRequest(min_area=0.3), lambda b: b[:, 0] + 100
    )
    assert crops.boxes[0, 0] > crops.boxes[1, 0] == 0
    # the best box is the second prediction before it grew
    np.testing.assert_allclose(crops.scores, [(crops.boxes[0, 0] + 100) / 600, 100 / 600])


def test_a_subject_at_the_border_is_taken_as_far_as_the_photo_goes():
    request = CropRequest(subject=(-50, 400, 100, 700))
    crops = select_crops(np.array([[200.0, 100, 300, 200]]), np.ones(1), SIZE, request, ones)
    assert crops.subject.tolist() == [0, 400, 100, 480]
    assert crops.boxes.tolist() == [[0, 100, 300, 480]]


def test_a_subject_outside_the_photo():
    for ratio in (None, "1:1"):
        with pytest.raises(ImpossibleCropError, match="lies outside the photo of 640 x 480 pixels"):
            select_crops(np.zeros((0, 4)), [], SIZE, CropRequest(ratio=ratio, subject=(640, 0, 700, 9)), ones)


def test_focal_points_are_the_middle_of_what_is_seen_of_the_subject():
    boxes = np.array([[0.0, 0, 100, 100], [50, 50, 90, 90], [300, 300, 400, 360]])
    subject = np.array([60.0, 40, 140, 80])
    crops = select_crops(boxes, np.array([3, 2, 1.0]), SIZE, CropRequest(), None, subject)
    assert crops.focal_points.tolist() == [[80, 60], [75, 65], [350, 330]]
    without = select_crops(boxes, np.array([3, 2, 1.0]), SIZE, CropRequest(), None)
    assert without.focal_points.tolist() == [[50, 50], [70, 70], [350, 330]] and without.subject is None


def test_focal_points_lie_in_their_crops():
    rng = np.random.default_rng(5)
    low = rng.uniform(0, 0.9, (40, 2))
    boxes = np.concatenate([low, rng.uniform(low + 0.05, 1)], axis=1) * [640, 480, 640, 480]
    for subject in boxes[:10]:
        for ratio in (None, "4:5"):
            crops = select_crops(boxes, ones(boxes), SIZE, CropRequest(40, ratio), ones, subject)
            inside = (crops.boxes[:, :2] < crops.focal_points) & (crops.focal_points < crops.boxes[:, 2:])
            assert inside.all()
            seen = kept_share(crops.boxes, subject) > 0
            on_it = (subject[:2] <= crops.focal_points) & (crops.focal_points <= subject[2:])
            assert on_it[seen].all()
