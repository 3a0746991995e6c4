"""The composition rule: what it likes, and the ceiling for a crop that does not know the style."""

import numpy as np
import pytest

from procrop.datasets.toy import rule
from procrop.datasets.toy.hidden_style import sample_query_scene
from procrop.datasets.toy.scene import Scene, Thing, sample_look, sample_scene

WIDTH, HEIGHT = 384, 288


def make_scene(subject=(0.45, 0.4, 0.55, 0.7), horizon=0.5, distractors=()) -> Scene:
    look = sample_look(np.random.default_rng(0))
    return Scene(look, horizon, subject, distractors, None, 1.0, 0)


def iou(a, b) -> float:
    side = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    inter = np.prod(np.maximum(side, 0))
    return float(inter / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inter))


def test_subject_on_a_third_beats_subject_in_the_middle_or_cut():
    third, middle, cut = (0.3, 0.1, 0.9, 0.9), (0.2, 0.1, 0.8, 0.9), (0.5, 0.1, 1.0, 0.9)
    scores = rule.score_crops(make_scene(), np.array([third, middle, cut]))
    assert scores[0] > scores[1] > scores[2]


def test_style_asks_for_its_own_third():
    left, right = (
        (0.3, 0.1, 0.9, 0.9),
        (0.1, 0.1, 0.7, 0.9),
    )  # the subject's middle, 0.5, is on 1/3 and on 2/3
    boxes = np.array([left, right])
    free = rule.score_crops(make_scene(), boxes)
    assert free[0] == pytest.approx(free[1])
    assert np.argmax(rule.score_crops(make_scene(), boxes, "left")) == 0
    assert np.argmax(rule.score_crops(make_scene(), boxes, "right")) == 1


def test_distractor_inside_the_crop_costs():
    thing = Thing("bin", (0.0, 0.6, 0.1, 0.9), (1.0, 0.0, 0.0))
    with_it, without = (0.05, 0.1, 0.7, 0.9), (0.3, 0.1, 0.95, 0.9)  # mirror images about the subject
    clean = rule.score_crops(make_scene(), np.array([with_it, without]))
    messy = rule.score_crops(make_scene(distractors=(thing,)), np.array([with_it, without]))
    assert clean[0] == pytest.approx(clean[1])
    assert messy[0] < clean[0] and messy[1] == pytest.approx(clean[1])


def test_horizon_on_a_third_beats_horizon_in_the_middle():
    boxes = np.array([(0.3, 0.1, 0.9, 0.9)])
    on_third, centred = make_scene(horizon=0.1 + 0.8 / 3), make_scene(horizon=0.5)
    assert rule.score_crops(on_third, boxes) > rule.score_crops(centred, boxes)


def test_unknown_style_is_an_error():
    with pytest.raises(ValueError, match="unknown style 'top'"):
        rule.score_crops(make_scene(), np.zeros((1, 4)), "top")


def test_best_framing_puts_the_subject_on_the_styles_third():
    for style, third in (("left", 1 / 3), ("right", 2 / 3)):
        x1, y1, x2, y2 = rule.best_framing(make_scene(), np.array([0.66]), style)
        assert (0.5 - x1) / (x2 - x1) == pytest.approx(third, abs=0.02)
        assert x2 - x1 == pytest.approx(0.66) and y2 - y1 == pytest.approx(0.66)
        assert 0 <= x1 and x2 <= 1 and 0 <= y1 and y2 <= 1


def test_blind_box_of_two_shifted_boxes():
    first, second = np.array([0.0, 0, 100, 50]), np.array([40.0, 0, 140, 50])
    box, value = rule.blind_box(first, second)
    # Either box itself gives (1 + 60/140) / 2; so does every box between them that holds both ends or none.
    assert value == pytest.approx((1 + 60 / 140) / 2, abs=1e-9)
    assert value == pytest.approx((iou(box, first) + iou(box, second)) / 2)


def test_blind_box_beats_every_guess():
    rng = np.random.default_rng(3)
    for _ in range(10):
        pair = np.sort(rng.uniform(0, 200, (2, 2, 2)), axis=1).reshape(2, 4) + (0, 0, 50, 50)
        _, value = rule.blind_box(*pair)
        low, high = pair.min(axis=0), pair.max(axis=0)
        guesses = rng.uniform(low - 5, high + 5, (500, 4))
        best = max(iou(g, pair[0]) + iou(g, pair[1]) for g in (*guesses, *pair)) / 2
        assert value >= best - 1e-3


def test_blind_ceiling_leaves_room_for_references():
    ceilings, overlaps = [], []
    for i in range(60):
        rng = np.random.default_rng(i)
        scene = sample_query_scene(rng, sample_look(rng), WIDTH / HEIGHT)
        ceilings.append(rule.blind_best(scene, WIDTH, HEIGHT)[1])
        left, right = (rule.best_crop(scene, WIDTH, HEIGHT, style) for style in rule.STYLES)
        overlaps.append(iou(left, right))
        assert left[0] + left[2] > right[0] + right[2]
        assert 2 * ceilings[-1] >= 1 + overlaps[-1] - 1e-9  # one of the two boxes itself is a blind guess
    assert 0.70 <= np.mean(ceilings) <= 0.77
    assert 0.42 <= np.mean(overlaps) <= 0.6


def test_mos_statistics_look_like_gaicds():
    boxes = rule.to_fractions(rule.grid_boxes(WIDTH, HEIGHT), WIDTH, HEIGHT)
    scores, good = [], []
    for i in range(60):
        rng = np.random.default_rng(i)
        scene = sample_scene(rng, sample_look(rng), WIDTH / HEIGHT)
        mos = rule.annotate(rule.score_crops(scene, boxes), rng, 0.25)
        assert mos.min() >= 1 and mos.max() <= 5
        np.testing.assert_allclose(mos, np.round(mos, 2))
        scores.append(mos)
        good.append((mos >= 4).sum())
    # GAICD v1: mean 2.94, standard deviation 0.81, 8.6 crops of 4 or more in a photo, none in 7 % of the photos.
    assert np.mean(scores) == pytest.approx(2.94, abs=0.25)
    assert np.std(scores) == pytest.approx(0.81, abs=0.15)
    assert 5 <= np.mean(good) <= 15 and np.mean(np.array(good) == 0) <= 0.05


def test_annotator_noise_is_that_of_a_mean_of_seven():
    scores = np.linspace(0, 1, 400)
    quiet = rule.annotate(scores, np.random.default_rng(0), 0.0)
    noisy = rule.annotate(scores, np.random.default_rng(0), 0.25)
    assert np.std(noisy - quiet) == pytest.approx(0.25 / 7**0.5, rel=0.15)


def test_keep_best_holds_the_favourite_on_top():
    scores = np.array([0.5, 0.701, 0.7, 0.699, 0.2])
    for seed in range(30):
        mos = rule.annotate(scores, np.random.default_rng(seed), 0.5, keep_best=True)
        assert np.argmax(mos) == 1 and np.sort(mos)[-1] - np.sort(mos)[-2] >= 0.0199
