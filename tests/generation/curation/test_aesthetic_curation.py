"""Which predicted crops become labels, against a plain loop and case by case."""

import numpy as np
import plain_curation
import pytest

from procrop.generation.curation import (
    AestheticCuration,
    AuthorsDiversity,
    IoUDiversity,
    PhotoFacts,
    snap_to_ratios,
)
from procrop.registry import CURATION
from procrop.structures import box_iou

KNOWN = np.array([200.0, 150, 500, 350])


def draw(seed, count=90):
    """Crops around the known area, two in three of them nearly in a shape that is kept."""
    rng = np.random.default_rng(seed)
    centre = (KNOWN[:2] + KNOWN[2:]) / 2 + rng.normal(0, 25, (count, 2))
    shape = rng.choice([*plain_curation.SHAPES, 1.17, 1.65, 2.2], count) + rng.uniform(-0.035, 0.035, count)
    shape = np.maximum(np.where(rng.random(count) < 0.3, 1 / shape, shape), 0.4)
    height = rng.uniform(170, 400, count)
    half = np.stack([height * shape, height], axis=1) / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    return np.clip(boxes, 0, [800, 600, 800, 600]), rng.random(count)


def facts(seed=0, **values):
    rng = np.random.default_rng(seed)
    known = dict(subject=np.array([300.0, 200, 380, 300]), saliency=rng.random((6, 8)), horizon=240.0)
    return PhotoFacts((800, 600), KNOWN, **(known | values))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("missing", [(), ("subject",), ("saliency", "horizon")])
def test_equals_a_plain_loop(seed, missing):
    boxes, predicted = draw(seed)
    about = facts(seed, **dict.fromkeys(missing))
    principles = ["KnownAreaKept", "SubjectWhole", "RuleOfThirds", "VisualBalance", "HorizonOnThird"]
    if missing == ("subject",):  # the loop does not know that saliency stands in
        principles.remove("RuleOfThirds")
    curation = AestheticCuration(principles=[dict(type=name) for name in principles])
    found = curation(boxes, predicted, about)
    expected = plain_curation.curate(boxes.tolist(), predicted.tolist(), about)
    assert 2 <= len(expected) == len(found.boxes) <= 8
    np.testing.assert_allclose(found.boxes, [e[0] for e in expected], atol=1e-9)
    np.testing.assert_allclose(found.scores, [e[1] for e in expected], atol=1e-9)
    np.testing.assert_array_equal(found.predicted, [e[2] for e in expected])
    assert len(found.boxes) + sum(found.rejected.values()) == 90


@pytest.mark.parametrize("seed", range(5))
def test_what_every_label_holds(seed):
    boxes, predicted = draw(seed, 400)
    found = AestheticCuration(top_k=5, min_score=0)(boxes, np.ones(400), facts(known_score=4.2))
    assert len(found.boxes) == 5
    assert (found.scores <= 4.2 - 0.5).all() and (found.scores > 1).all()
    assert (np.diff(found.scores) <= 0).all()
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    shape = sides.max(axis=1) / sides.min(axis=1)
    assert np.abs(shape[:, None] - plain_curation.SHAPES).min(axis=1).max() < 1e-9
    assert (found.boxes >= 0).all() and (found.boxes <= [800, 600, 800, 600]).all()
    everything = np.concatenate([KNOWN[None], found.boxes])
    assert (box_iou(everything, everything) - np.eye(6)).max() <= 0.85


def test_more_confident_is_never_above_the_known_area():
    """A perfect crop that the teacher is sure of still ranks below."""
    square = np.array([[190.0, 90, 510, 410]])
    about = PhotoFacts((800, 600), KNOWN)
    (score,) = AestheticCuration(margin=0.01)(square, np.ones(1), about).scores
    assert score == pytest.approx(4.99)
    with pytest.raises(ValueError, match="scores 1.3, which less margin=0.5 is not above the lowest"):
        AestheticCuration()(square, np.ones(1), PhotoFacts((800, 600), KNOWN, 1.3))


def test_principles_are_switched_by_the_list():
    boxes, predicted = draw(3)
    strict = AestheticCuration(principles=[dict(type="KnownAreaKept", minimum=1.0)])
    free = AestheticCuration(principles=[], ratios=None, diversity=None, top_k=90, min_score=0)
    assert "known area" in strict(boxes, predicted, facts()).rejected
    found = free(boxes, predicted, facts())
    assert found.rejected == {} and len(found.boxes) == 90
    order = np.argsort(-predicted, kind="stable")
    np.testing.assert_array_equal(found.boxes, boxes[order])
    np.testing.assert_allclose(found.scores, 1 + 3.5 * predicted[order])


def test_ranking_follows_score_and_principles():
    """Two crops alike but for what they do to the subject; the weight decides."""
    boxes = np.array([[100.0, 50, 700, 450], [0, 0, 720, 480]])
    about = PhotoFacts((800, 600), KNOWN, subject=np.array([280.0, 160, 320, 206]))
    for weight, first in ((1.0, 1), (0.0, 0)):
        curation = AestheticCuration(
            principles=[dict(type="RuleOfThirds")], predicted_weight=weight, diversity=None
        )
        found = curation(boxes, np.array([0.5, 0.6]), about)
        np.testing.assert_allclose(found.boxes[0], boxes[first])


def test_labels_of_before_are_replaced_only_by_better_ones():
    about = PhotoFacts((800, 600), KNOWN)
    curation = AestheticCuration(principles=[], top_k=1, carry_over=0.9)
    new, old = np.array([[150.0, 100, 550, 500]]), np.array([[100.0, 50, 580, 530]])
    kept = curation(new, np.array([0.7]), about, (old, np.array([0.8])))
    np.testing.assert_allclose(kept.boxes, old)
    np.testing.assert_allclose(kept.predicted, [0.72])
    better = curation(new, np.array([0.75]), about, (old, np.array([0.8])))
    np.testing.assert_allclose(better.boxes, new)
    fresh = AestheticCuration(principles=[], top_k=1)(new, np.array([0.7]), about, (old, np.array([0.8])))
    np.testing.assert_allclose(fresh.boxes, new)


def test_nothing_that_is_no_crop_becomes_a_label():
    boxes = np.array([[0.0, 0, 0, 400], [np.nan, 0, 600, 400], [600, 400, 0, 0]])
    found = AestheticCuration(ratios=None, principles=[], diversity=None)(boxes, np.ones(3), facts())
    assert len(found.boxes) == 0 and found.rejected == {"no area": 3}
    none = AestheticCuration()(np.zeros((0, 4)), np.zeros(0), facts())
    assert none.boxes.shape == (0, 4) and none.rejected == {}
    nan = AestheticCuration()(draw(0)[0], np.full(90, np.nan), facts())
    assert nan.rejected == {"score": 90}


@pytest.mark.parametrize("seed", range(3))
def test_snapping(seed):
    boxes, _ = draw(seed, 300)
    snapped, near = snap_to_ratios(boxes)
    expected = [plain_curation.snap(box) for box in boxes.tolist()]
    assert near.tolist() == [box is not None for box in expected]
    assert 50 < near.sum() < 250
    for box, before, want in zip(snapped, boxes, expected, strict=True):
        np.testing.assert_allclose(box, before if want is None else want, atol=1e-9)
    assert (snapped[:, :2] >= boxes[:, :2] - 1e-9).all() and (snapped[:, 2:] <= boxes[:, 2:] + 1e-9).all()


def test_the_tolerance_itself_is_within():
    boxes = np.array([[0, 0, 103.0, 100], [0, 0, 100, 103], [0, 0, 103.1, 100], [0, 0, 5, 5], [3, 3, 3, 3]])
    assert snap_to_ratios(boxes)[1].tolist() == [True, True, False, True, False]


def test_diversity_rules():
    size, box = (1000, 500), np.array([100.0, 100, 500, 300])
    others = np.array([[100, 100, 500, 300.0], [0, 0, 1000, 500], [300, 150, 700, 350], [100, 100, 300, 200]])
    np.testing.assert_array_equal(IoUDiversity(0.85).differs(box, others, size), [False, True, True, True])
    # of the third: equal sizes, corners moved by 0.2 + 0.1
    code = AuthorsDiversity(0.2, "code").differs(box, others, size)
    intent = AuthorsDiversity(0.2, "intent").differs(box, others, size)
    assert code.tolist() == [False, True, False, False]
    assert intent.tolist() == [False, True, True, True]
    # the fourth: sizes differ by half each, the upper left corners not at all, the lower right ones by 0.2 + 0.2
    assert AuthorsDiversity(1.19, "intent").differs(box, others[3:], size).all()
    assert not AuthorsDiversity(1.21, "intent").differs(box, others[3:], size).any()


@pytest.mark.parametrize(
    "cfg, words",
    [
        (dict(top_k=0), "top_k >= 1"),
        (dict(margin=0), "margin >= 0.001"),
        (dict(margin=1e-5), "margin >= 0.001"),
        (dict(min_score=1.5), "min_score must lie in"),
        (dict(ratios=[0.5]), "at least 1"),
        (dict(principles=[dict(type="KnownAreaKept", minimum=2)]), "KnownAreaKept needs"),
        (dict(diversity=dict(type="IoUDiversity", max_iou=3)), "max_iou must lie in"),
        (dict(diversity=dict(type="AuthorsDiversity", reading="x")), "'code' or 'intent'"),
    ],
)
def test_faults_are_named(cfg, words):
    with pytest.raises(ValueError, match=words):
        CURATION.build(dict(type="AestheticCuration", **cfg))
