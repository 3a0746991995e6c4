"""Each principle by hand, and against plain loops."""

import numpy as np
import plain_curation
import pytest

from procrop.generation.curation import (
    HorizonOnThird,
    KnownAreaKept,
    PhotoFacts,
    RuleOfThirds,
    SubjectWhole,
    VisualBalance,
)
from procrop.generation.curation.measure import measure_facts

SIZE, KNOWN = (600, 300), np.array([100.0, 100, 200, 200])
BOXES = np.array([[0.0, 0, 300, 300], [150, 100, 450, 250], [100, 100, 200, 200]])


def about(**values):
    return PhotoFacts(SIZE, KNOWN, **values)


def test_known_area_and_subject_by_area():
    np.testing.assert_allclose(KnownAreaKept().scores(BOXES, about()), [1, 0.5, 1])
    subject = np.array([180.0, 150, 220, 190])
    np.testing.assert_allclose(SubjectWhole().scores(BOXES, about(subject=subject)), [1, 1, 0.5])
    assert KnownAreaKept().minimum == 0.8


def test_thirds():
    """Centre at (100, 150): at a third and a half of the first crop, a sixth left of the second."""
    subject = np.array([80.0, 130, 120, 170])
    np.testing.assert_allclose(
        RuleOfThirds().scores(BOXES, about(subject=subject)), [0.5, (0 + 1) / 2, 0], atol=1e-12
    )


def test_thirds_by_saliency():
    saliency = np.zeros((30, 60))
    saliency[10, 20] = 1  # centroid at (205, 105)
    found = RuleOfThirds().scores(BOXES[:1], about(saliency=saliency))
    expected = [plain_curation.thirds(205 / 300), plain_curation.thirds(105 / 300)]
    np.testing.assert_allclose(found, [sum(expected) / 2])


def test_horizon():
    places = np.array([[0, 0, 9.0, 300], [0, 0, 9, 200], [0, 0, 9, 100], [0, 60, 9, 180]])
    np.testing.assert_allclose(
        HorizonOnThird().scores(places, about(horizon=100.0)), [1, 0, 1, 1], atol=1e-12
    )


@pytest.mark.parametrize("seed", range(3))
def test_balance_equals_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 150, (20, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 150, (20, 2))], axis=1)
    saliency = rng.random((7, 11)) ** 3
    expected = [plain_curation.balance(box, saliency.tolist(), SIZE) for box in boxes.tolist()]
    np.testing.assert_allclose(VisualBalance().scores(boxes, about(saliency=saliency)), expected, atol=1e-9)


def test_an_empty_crop_is_in_balance():
    assert VisualBalance().scores(BOXES, about(saliency=np.zeros((3, 3)))).tolist() == [1, 1, 1]


@pytest.mark.parametrize("principle", [SubjectWhole, RuleOfThirds, VisualBalance, HorizonOnThird])
def test_what_is_unknown_has_no_say(principle):
    assert principle().scores(BOXES, about()) is None


def test_facts_are_measured_in_the_photo():
    """A red disc on a grey known area, on a canvas twice as large, shown at half the size."""
    photo = np.full((150, 300, 3), 60, np.uint8)
    photo[25:125, 75:225] = 120
    rows, columns = np.mgrid[:150, :300]
    photo[(rows - 60) ** 2 + (columns - 120) ** 2 < 100] = (220, 30, 30)
    facts = measure_facts(photo, SIZE, np.array([150.0, 50, 450, 250]))
    centre = (facts.subject[:2] + facts.subject[2:]) / 2
    np.testing.assert_allclose(centre, [240, 120], atol=8)
    assert ((facts.subject[2:] - facts.subject[:2]) > 20).all()
    assert max(facts.saliency.shape) == 48 and facts.saliency.shape == (24, 48)
    given = measure_facts(photo, SIZE, np.array([150.0, 50, 450, 250]), subject=np.array([1.0, 2, 3, 4]))
    assert given.subject.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(given.saliency, facts.saliency)


def test_the_horizon_is_measured_in_the_known_area():
    photo = np.full((200, 400, 3), 200, np.uint8)
    photo[120:] = (40, 90, 40)
    facts = measure_facts(photo, (800, 400), np.array([100.0, 100, 700, 380]))
    assert facts.horizon == pytest.approx(240, abs=6)
    tiny = measure_facts(photo, (800, 400), np.array([100.0, 100, 110, 380]))
    assert tiny.horizon is None and tiny.subject is None
