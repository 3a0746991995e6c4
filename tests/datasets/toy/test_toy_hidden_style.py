"""The hidden style: readable off the gallery, and from nowhere else."""

import inspect

import numpy as np
import pytest

from procrop.datasets.toy import rule
from procrop.datasets.toy.hidden_style import HiddenStylePlan, sample_gallery_scene, sample_query_scene
from procrop.datasets.toy.settings import ToySettings
from procrop.datasets.toy.writer import _annotation, _describe

SETTINGS = ToySettings(
    hidden_style=True,
    families=160,
    val_families=7,
    test_families=40,
    photos_per_family=1,
    gallery_per_family=1,
)


@pytest.fixture(scope="module")
def records():
    return [_describe(job, SETTINGS) for job in SETTINGS.jobs()]


def test_styles_are_balanced_in_each_split_and_follow_the_seed():
    for seed in range(5):
        plan = HiddenStylePlan(seed, {"train": 200, "val": 7, "test": 50})
        styles = np.array(plan.styles())
        split = np.array([name for _, name in plan.families])
        for name, count in plan.splits.items():
            left = int((styles[split == name] == "left").sum())
            assert abs(2 * left - count) <= 1
    assert HiddenStylePlan(0, plan.splits).styles() != HiddenStylePlan(1, plan.splits).styles()
    assert HiddenStylePlan(1, plan.splits).styles() == HiddenStylePlan(1, plan.splits).styles()


def test_families_of_the_splits_are_disjoint_and_all_in_the_gallery(records):
    families = {
        s: {r["family"] for r in records if r["split"] == s} for s in ("train", "val", "test", "gallery")
    }
    assert [len(families[s]) for s in ("train", "val", "test")] == [160, 7, 40]
    assert not families["train"] & families["test"] and not families["val"] & families["test"]
    assert not families["train"] & families["val"]
    assert families["gallery"] == families["train"] | families["val"] | families["test"]


def test_a_family_has_one_style(records):
    styles = {}
    for record in records:
        assert styles.setdefault(record["family"], record["style"]) == record["style"]


def test_samplers_are_not_told_the_style():
    for sample in (sample_query_scene, sample_gallery_scene):
        assert list(inspect.signature(sample).parameters) == ["rng", "look", "aspect"]


def test_query_geometry_does_not_tell_the_style(records):
    photos = [r for r in records if r["split"] != "gallery"]
    left = np.array([r["style"] == "left" for r in photos])
    subject = np.array([r["subject"] for r in photos]) / (384, 288, 384, 288)
    middle = (subject[:, 0] + subject[:, 2]) / 2
    assert abs(middle.mean() - 0.5) < 0.005 and np.abs(middle - 0.5).max() <= 0.041
    size = subject[:, 2:] - subject[:, :2]
    for feature in (middle, subject[:, 3], size[:, 0], size[:, 1], size.prod(axis=1)):
        # Welch's t: |t| < 3 unless the styles differ (0.3 % by chance; the seed is fixed).
        a, b = feature[left], feature[~left]
        t = (a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        assert abs(t) < 3


def test_looks_do_not_tell_the_style():
    plan = HiddenStylePlan(11, {"train": 400})
    left = np.array([style == "left" for style in plan.styles()])
    looks = [plan.look(family) for family in range(400)]
    colours = [(*look.sky, *look.ground_near, *look.body, look.horizon, look.mark_scale) for look in looks]
    features = np.array(colours)
    for column in features.T:
        a, b = column[left], column[~left]
        t = (a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        assert abs(t) < 3.5


def test_gallery_subject_is_on_the_styles_side(records):
    for record in records:
        if record["split"] != "gallery":
            continue
        x1, y1, x2, y2 = record["subject"]
        width, height = record["size"]
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
        third = 1 / 3 if record["style"] == "left" else 2 / 3
        assert (x1 + x2) / 2 / width == pytest.approx(third, abs=0.04)


def test_best_is_top_mos_and_on_the_styles_side(records):
    by_id = {record["id"]: record for record in records}
    for job in [job for job in SETTINGS.jobs() if job.split == "test"]:
        record = by_id[job.id]
        scene_rng = np.random.default_rng([SETTINGS.seed, *job.key])
        scene = sample_query_scene(scene_rng, SETTINGS.plan.look(job.family), 384 / 288)
        rows = np.array(
            [line.split() for line in _annotation(job, scene, scene_rng, SETTINGS).splitlines()], float
        )
        boxes, mos = rows[:, [1, 0, 3, 2]], rows[:, 4]
        order = np.argsort(-mos)
        assert mos[order[0]] - mos[order[1]] >= 0.0199 and mos[order[0]] >= 4
        np.testing.assert_array_equal(boxes[order[0]], record["best"])
        best, opposite = record["best"], record["best_opposite"]
        assert (best[0] > opposite[0]) == (record["style"] == "left")
        assert mos[(boxes == opposite).all(axis=1)][0] < 3.5


def test_ceiling_is_that_of_the_two_best_crops(records):
    for record in records:
        if record["split"] == "test":
            box, value = rule.blind_box(np.array(record["best"]), np.array(record["best_opposite"]))
            assert record["blind_iou"] == pytest.approx(value, abs=1e-4)
            np.testing.assert_allclose(record["blind"], box, atol=0.06)
            assert value < 0.8
