"""Duplicated and oversized subjects: the rules against a plain reference, and each with examples on both sides."""

import numpy as np
import pytest
from quality_items import ON_CANVAS, PLAN, ToldDetector, painted

from procrop.generation import DropItem
from procrop.generation.steps.filters import DuplicateSubjectFilter, OversizedSubjectFilter, QualityDrop
from procrop.generation.subject_box import subject_on_canvas

RNG = np.random.default_rng(0)


def _verdict(step, item=None):
    try:
        return None, step.run(painted() if item is None else item, RNG).quality
    except QualityDrop as drop:
        return drop.reason, drop.figures


def _area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _iou(a, b):
    both = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return both / (_area(a) + _area(b) - both)


def _gencrop_keeps(boxes):
    """The rules as the paper's code has them, for one class and one subject."""
    new, best = None, 0.25
    for box in boxes:
        if _iou(box, ON_CANVAS) > best:
            new, best = box, _iou(box, ON_CANVAS)
    if new is None:
        return False
    hallucinated = max((_area(b) for b in boxes if _iou(b, PLAN.known) < 0.01), default=0)
    return hallucinated <= 0.25 * _area(ON_CANVAS) and max(map(_area, boxes)) <= 2 * _area(new)


def test_the_subject_is_scaled_into_the_known_area():
    np.testing.assert_allclose(subject_on_canvas(painted()), ON_CANVAS)
    assert subject_on_canvas(painted(subject=None)) is None


def test_oversized_agrees_with_the_rules_of_the_source():
    rng, item = np.random.default_rng(4), painted()
    kept = []
    for _ in range(400):
        boxes = [np.add(ON_CANVAS, rng.normal(0, 12, 4))]
        for _ in range(rng.integers(0, 3)):
            corner, side = rng.uniform(0, 300, 2), rng.uniform(5, 90, 2)
            boxes.append(np.concatenate([corner, corner + side]))
        reason, _ = _verdict(OversizedSubjectFilter(ToldDetector(boxes)), item)
        assert (reason is None) == _gencrop_keeps(boxes)
        kept.append(reason is None)
    assert 0.2 < np.mean(kept) < 0.8


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([], "no detection overlaps the subject by more than 0.25 .IoU 0.00 at best"),
        ([(200, 150, 260, 210)], "IoU 0.14 at best"),
        (
            [ON_CANVAS, (0, 0, 40, 40)],
            "painted subject has 0.44 times the area of the photo's own, more than 0.25",
        ),
        ([ON_CANVAS, (110, 70, 210, 160)], "a detection has 2.50 times the subject's area, more than 2"),
    ],
)
def test_oversized_drops_with_the_figure(boxes, message):
    with pytest.raises(DropItem, match=f"^oversized: .*{message}"):
        OversizedSubjectFilter(ToldDetector(boxes)).run(painted(), RNG)


def test_oversized_keeps_what_is_within_the_limits():
    # a subject that has grown, a small painted one, and one of twice the area
    grown = (160.0, 110.0, 240.0, 190.0)
    boxes = [grown, (0, 0, 30, 30), (120, 70, 220, 198)]
    reason, quality = _verdict(OversizedSubjectFilter(ToldDetector(boxes)))
    assert reason is None
    assert quality == {
        "before": 1.0,
        "has_subject": 1.0,
        "oversized_iou": pytest.approx(3600 / 6400),
        "oversized_painted": pytest.approx(0.25),
        "oversized_largest": pytest.approx(2.0),
    }


def test_other_classes_are_no_rivals():
    boxes = [ON_CANVAS, (0, 0, 90, 90)]
    assert _verdict(OversizedSubjectFilter(ToldDetector(boxes, labels=[3, 3])))[0] is not None
    assert _verdict(OversizedSubjectFilter(ToldDetector(boxes, labels=[3, 5])))[0] is None
    assert _verdict(DuplicateSubjectFilter(ToldDetector(boxes, labels=[3, 3])))[0] is not None
    assert _verdict(DuplicateSubjectFilter(ToldDetector(boxes, labels=[3, 5])))[0] is None


@pytest.mark.parametrize(
    ("box", "count", "inside"),
    [
        ((10, 10, 70, 70), 1, 0),  # outside
        ((60, 70, 119, 130), 1, 0),  # less than half of it known
        ((80, 70, 140, 130), 0, 0.8),  # more than half of it known
        ((10, 10, 28, 28), 0, 0),  # 0.09 of the area
        ((175, 125, 235, 185), 0, 0),  # the subject again
    ],
)
def test_what_counts_as_a_duplicate(box, count, inside):
    step = DuplicateSubjectFilter(ToldDetector([ON_CANVAS, box], scores=[1.0, 0.8]))
    reason, figures = _verdict(step)
    assert (figures["duplicate_count"], figures["duplicate_inside"]) == (count, inside)
    assert figures["duplicate_score"] == (0.8 if count else 0.0)
    assert (reason is not None) == bool(count)
    if count:
        assert reason == (
            "duplicate: the subject is found 1 times outside the photo (score 0.80 at best), more than 0"
        )


def test_a_photo_that_repeats_its_motif_may_go_on_repeating_it():
    boxes = [ON_CANVAS, (110, 80, 170, 140), (10, 10, 70, 70)]
    assert _verdict(DuplicateSubjectFilter(ToldDetector(boxes)))[0] is None
    assert _verdict(DuplicateSubjectFilter(ToldDetector(boxes), allow_repeated=False))[0] is not None
    assert _verdict(DuplicateSubjectFilter(ToldDetector(boxes), allow_repeated=False, max_count=1))[0] is None
    # a chance likeness in the photo is no excuse for a true copy outside
    chance, alike = (ToldDetector(boxes, scores=[1.0, inside, 0.95]) for inside in (0.84, 0.86))
    assert _verdict(DuplicateSubjectFilter(chance))[0] is not None
    assert _verdict(DuplicateSubjectFilter(alike))[0] is None


@pytest.mark.parametrize(
    ("place", "copied"),
    [
        ((20, 20, 60), True),
        ((20, 200, 42), True),
        ((310, 30, 84), True),
        ((320, 200, 60, "mirrored"), True),
        (None, False),
    ],
)
def test_drawn_copies_are_found_by_the_embedded_detector(place, copied):
    reason, figures = _verdict(DuplicateSubjectFilter(), painted(*([place] if place else [])))
    assert (reason is not None) == copied
    assert figures["duplicate_count"] == copied


@pytest.mark.parametrize("step", [DuplicateSubjectFilter, OversizedSubjectFilter])
def test_items_without_a_subject(step):
    keep, drop = (step(ToldDetector([]), without_subject=choice) for choice in ("keep", "drop"))
    item = painted(subject=None)
    assert keep.run(item, RNG).quality == {"before": 1.0, "has_subject": 0.0}
    with pytest.raises(DropItem, match="the analysis names no subject to check"):
        drop.run(item, RNG)
    with pytest.raises(ValueError, match="without_subject must be one of"):
        step(ToldDetector([]), without_subject="guess")
    with pytest.raises(ValueError, match="needs `analysis`"):
        keep.run(item.with_(analysis=None), RNG)


def test_settings_out_of_range_and_fingerprints():
    detector = ToldDetector([ON_CANVAS])
    with pytest.raises(ValueError, match="max_painted and max_largest must be above 0"):
        OversizedSubjectFilter(detector, max_largest=0)
    with pytest.raises(ValueError, match="max_count must be at least 0"):
        DuplicateSubjectFilter(detector, max_count=-1)
    steps = [
        OversizedSubjectFilter(detector),
        OversizedSubjectFilter(ToldDetector([])),
        OversizedSubjectFilter(detector, max_painted=0.3),
        OversizedSubjectFilter(detector, without_subject="drop"),
        DuplicateSubjectFilter(detector),
        DuplicateSubjectFilter(detector, min_area=0.2),
        DuplicateSubjectFilter(),
        DuplicateSubjectFilter(dict(type="TemplateDetector", threshold=0.8)),
    ]
    assert len({step.fingerprint for step in steps}) == len(steps)
    assert DuplicateSubjectFilter().fingerprint == DuplicateSubjectFilter().fingerprint
