"""A subject that is known cell by cell: what of it crops keep, and which of them win."""

import numpy as np
import pytest

from procrop.inference.crop_request import CropRequest
from procrop.inference.selection import select_crops
from procrop.inference.selection.evidence import evidence_centres, kept_evidence
from procrop.structures.boxes import box_iou

SIZE = (400, 200)
# cells of 100 x 100 pixels: 8 of 10 parts in the right half
EVIDENCE = np.array([[0.0, 2, 0, 4], [0, 0, 0, 4]])


def test_the_share_of_the_mass_in_a_crop_by_hand():
    boxes = np.array(
        [[0.0, 0, 400, 200], [200, 0, 400, 200], [100, 0, 300, 100], [350, 50, 400, 150], [0, 0, 50, 50]]
    )
    # the fourth: half of the width and half of the height of both cells on the right
    assert kept_evidence(boxes, EVIDENCE, SIZE).tolist() == [1, 0.8, 0.2, 0.2, 0]


def test_the_share_is_the_sum_over_pixels():
    rng = np.random.default_rng(0)
    evidence = rng.uniform(size=(5, 8))
    pixels = np.kron(evidence, np.ones((40, 50)))
    low = rng.integers(0, (390, 190), (50, 2))
    high = rng.integers(low + 1, (401, 201))
    boxes = np.concatenate([low, high], axis=1)
    parts = [pixels[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes]
    expected = [part.sum() / pixels.sum() for part in parts]
    np.testing.assert_allclose(kept_evidence(boxes, evidence, SIZE), expected)
    centres = evidence_centres(boxes.astype(float), evidence, SIZE)
    for (x1, y1, _, _), part, (x, y) in zip(boxes, parts, centres, strict=True):
        rows, columns = np.indices(part.shape) + 0.5
        assert x == pytest.approx(x1 + (part * columns).sum() / part.sum())
        assert y == pytest.approx(y1 + (part * rows).sum() / part.sum())


def test_a_map_without_mass_says_nothing():
    boxes = np.array([[0.0, 0, 100, 200], [100, 0, 400, 200]])
    assert kept_evidence(boxes, np.zeros((2, 4)), SIZE).tolist() == [1, 1]
    assert evidence_centres(boxes, np.zeros((2, 4)), SIZE).tolist() == [[50, 100], [250, 100]]
    # and a crop without any of a map's mass has its own centre
    assert evidence_centres(boxes[:1], np.array([[0.0, 0, 0, 1]]), SIZE).tolist() == [[50, 100]]


PREDICTED = np.array([[0.0, 0, 400, 200]])


def crops(evidence, request=None, boxes=PREDICTED):
    request = request or CropRequest(ratio="1:1", top_k=9, max_overlap=1.0)
    return select_crops(
        boxes, np.ones(len(boxes)), SIZE, request, lambda b: box_iou(b, boxes).sum(axis=1), evidence
    )


def test_the_crop_that_keeps_the_evidence_wins_to_the_fourth():
    predicted = np.array([[0.0, 0, 200, 200], [200, 0, 400, 200]])
    # both sides score 1 by the vote; 0.2 of the evidence is left, 0.8 is right, and none of them can have more
    chosen = crops(EVIDENCE, boxes=predicted)
    assert chosen.boxes[0].tolist() == [200, 0, 400, 200] and chosen.scores[0] == pytest.approx(1)
    left = (chosen.boxes == [0, 0, 200, 200]).all(axis=1).argmax()
    assert chosen.scores[left] == pytest.approx((0.2 / 0.8) ** 4)
    # without it the first prediction wins
    assert crops(None, boxes=predicted).boxes[0].tolist() == [0, 0, 200, 200]


def test_the_focal_point_is_the_centre_of_the_evidence_in_the_crop():
    chosen = crops(EVIDENCE, boxes=np.array([[200.0, 0, 400, 200]]))
    assert chosen.boxes[0].tolist() == [200, 0, 400, 200]
    assert chosen.focal_points[0].tolist() == [350, 100] and chosen.subject is None


def test_a_subject_that_is_named_counts_alone():
    request = CropRequest(ratio="1:1", subject=(0, 50, 90, 150))
    chosen, expected = crops(EVIDENCE, request), crops(None, request)
    np.testing.assert_array_equal(chosen.boxes, expected.boxes)
    np.testing.assert_array_equal(chosen.scores, expected.scores)
    assert chosen.boxes[0, 0] == 0


def test_without_a_ratio_nothing_changes():
    for request in (CropRequest(), CropRequest(min_area=0.9), CropRequest(max_overlap=0.5)):
        chosen, expected = crops(EVIDENCE, request), crops(None, request)
        np.testing.assert_array_equal(chosen.boxes, expected.boxes)
        np.testing.assert_array_equal(chosen.scores, expected.scores)
