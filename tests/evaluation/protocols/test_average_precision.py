"""AP against a plain evaluator of one detection at a time, and against cases by hand."""

import numpy as np
import pytest
from scored_photos import records

from procrop.evaluation.photo_record import make_photo_record
from procrop.evaluation.protocols import AveragePrecision
from procrop.evaluation.protocols.average_precision import last_one_wins
from procrop.structures.boxes import box_iou


def _plain_ap(photos, eps, max_dets):
    """``photos``: (predictions best first, their scores, crops to find)."""
    shown, total = [], 0
    for pred, scores, targets in photos:
        taken = set()
        total += len(targets)
        iou = box_iou(pred, targets)
        for i in range(min(len(pred), max_dets)):
            match = None
            for g in range(len(targets)):
                if g not in taken and iou[i, g] >= eps:
                    match = g
            taken.add(match)
            shown.append((scores[i], match is not None))
    shown.sort(key=lambda pair: -pair[0])  # stable, as the published evaluator's merge sort
    hits = np.cumsum([hit for _, hit in shown])
    recall, precision = hits / total, hits / np.arange(1, len(shown) + 1)
    best = [
        max([p for p, r in zip(precision, recall, strict=True) if r >= level], default=0.0)
        for level in np.linspace(0, 1, 101)
    ]
    return float(np.mean(best))


@pytest.mark.parametrize("ground_truth", ["positives", "all"])
def test_equals_a_plain_evaluator(ground_truth):
    found = records(25)
    protocol = AveragePrecision((0.6, 0.85), (1, 5, 14), ground_truth, floors=False)
    figures = protocol.measure(found).means()
    photos = [
        (r.pred, r.pred_scores, r.gt[r.positives] if ground_truth == "positives" else r.gt) for r in found
    ]
    photos = [photo for photo, record in zip(photos, found, strict=True) if len(record.gt)]
    assert len(figures) == 6
    for eps in (0.6, 0.85):
        for n in (1, 5, 14):
            assert figures[f"ap_{n}@{eps:g}"] == pytest.approx(_plain_ap(photos, eps, n), abs=1e-12)


def test_draws_equal_measuring_the_drawn_photos():
    found = records(12)
    protocol = AveragePrecision((0.7,), (3, 14), floors=False)
    draw = [0, 0, 2, 5, 5, 5, 9, 11]
    counts = np.bincount(draw, minlength=12)[None].astype(float)
    # AP of equal scores depends on their order: here copies of a photo follow each other, as in one photo of weight 2
    for record in found:
        record.pred_scores = record.pred_scores - np.arange(len(record.pred_scores)) * 1e-3
        record.pred_scores = record.pred_scores + 1e-6 * found.index(record)
    drawn = protocol.measure([found[i] for i in draw]).means()
    np.testing.assert_allclose(protocol.measure(found).resampled(counts)[0], list(drawn.values()), atol=0.02)
    ones = protocol.measure(found)
    assert ones.resampled(np.ones((1, 12)))[0].tolist() == list(ones.means().values())


def test_the_last_crop_wins_and_each_serves_once():
    # the first prediction fits both and takes the last one, though the second prediction fits that one only
    assert last_one_wins(np.array([[True, True], [False, True]])).tolist() == [True, False]
    assert last_one_wins(np.array([[True, True], [True, False]])).tolist() == [True, True]
    assert last_one_wins(np.zeros((2, 3, 0), bool)).shape == (2, 3)


def test_by_hand():
    crops, scores = [[0, 0, 10, 10], [50, 50, 90, 90]], [5.0, 5.0]
    wrong = [20, 20, 40, 40]
    one = make_photo_record(
        "a", (100, 100), crops, scores, [1, 1], [crops[0], wrong, crops[1]], [0.9, 0.8, 0.7]
    )
    figures = AveragePrecision(0.85, (1, 2, 3)).measure([one]).means()
    # recall 0.5 at precision 1, then 2 of 3: 51 recalls at 1, 50 at 2/3
    assert figures["ap_3@0.85"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert figures["ap_1@0.85"] == figures["ap_2@0.85"] == pytest.approx(51 / 101)
    assert figures["full_photo_ap_3@0.85"] == 0.0
    assert (
        figures["random_ap_3@0.85"] == 1.0
    )  # all annotated crops are positive, so every ranking of them is right


def test_a_constant_crop_is_a_floor():
    crop = [0.1, 0.1, 0.9, 0.9]
    photos = [make_photo_record(str(i), (100, 100), [[10, 10, 90, 90]], [5.0], [True]) for i in range(3)]
    protocol = AveragePrecision(0.85, (1,))
    protocol.constant_crops = {"hit@0.85": crop}
    figures = protocol.measure(photos).means()
    assert (figures["ap_1@0.85"], figures["constant_crop_ap_1@0.85"]) == (0.0, 1.0)


def test_bad_options_are_refused():
    for options in ({"eps": 0}, {"max_dets": ()}, {"ground_truth": "x"}, {"repeats": 0}):
        with pytest.raises(ValueError):
            AveragePrecision(**options)
