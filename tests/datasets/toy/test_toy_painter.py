"""Pictures of toy scenes."""

from dataclasses import replace

import numpy as np
import pytest

from procrop.datasets.toy.painter import paint
from procrop.datasets.toy.scene import GROUNDS, RELIEFS, SKIES, SUBJECTS, Thing, sample_look, sample_scene


def make_scene(seed=1, **look):
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, sample_look(rng), 4 / 3)
    return replace(scene, look=replace(scene.look, **look))


def test_photo_shape_and_repeatability():
    photo = paint(make_scene(), 160, 120)
    assert photo.shape == (120, 160, 3) and photo.dtype == np.uint8 and photo.flags.c_contiguous
    np.testing.assert_array_equal(photo, paint(make_scene(), 160, 120))
    assert (photo != paint(replace(make_scene(), texture_seed=9), 160, 120)).mean() > 0.3


@pytest.mark.parametrize(
    "look",
    [{"sky_kind": kind} for kind in SKIES]
    + [{"relief_kind": kind} for kind in RELIEFS]
    + [{"ground_kind": kind} for kind in GROUNDS],
    ids=lambda look: "-".join(look.values()),
)
def test_every_background_can_be_painted(look):
    assert paint(make_scene(**look), 96, 96).std() > 3


@pytest.mark.parametrize("kind", SUBJECTS)
def test_subject_is_visible_and_stays_in_its_box(kind):
    box = (0.4, 0.3, 0.6, 0.7)
    scene = replace(make_scene(subject_kind=kind, grain=0.0), distractors=(), subject=box, vanishing=None)
    moved = replace(scene, subject=(5.4, 0.3, 5.6, 0.7))  # out of sight
    difference = np.abs(paint(scene, 240, 180).astype(int) - paint(moved, 240, 180)).max(axis=2) > 8
    ys, xs = np.nonzero(difference)
    assert difference[54:126, 96:144].mean() > 0.15  # of its own box
    # The shadow reaches a little out at the foot, nothing else does.
    assert xs.min() >= 88 and xs.max() <= 152 and ys.min() >= 53 and ys.max() <= 131
    assert ys.min() <= 60 and ys.max() >= 122 and xs.min() <= 102 and xs.max() >= 137


def test_distractor_at_the_border_is_cut_off():
    scene = replace(make_scene(grain=0.0), distractors=(), vanishing=None, subject=(5.0, 0.4, 5.2, 0.7))
    thing = Thing("bin", (-0.05, 0.5, 0.05, 1.1), (1.0, 0.0, 1.0))
    difference = paint(scene, 200, 150) != paint(replace(scene, distractors=(thing,)), 200, 150)
    ys, xs, _ = np.nonzero(difference)
    assert xs.min() == 0 and xs.max() < 10 and ys.min() >= 74 and ys.max() == 149


def test_horizon_is_where_the_scene_says():
    scene = replace(
        make_scene(
            grain=0.0, sky=(0.1, 0.1, 0.9), sky_low=(0.1, 0.1, 0.9), sky_kind="clear", relief_kind="none"
        ),
        horizon=0.4,
        distractors=(),
        vanishing=None,
    )
    look = replace(
        scene.look, ground_near=(0.9, 0.1, 0.1), ground_far=(0.9, 0.1, 0.1), mark_contrast=0.0, sun=0.0
    )
    photo = paint(replace(scene, look=look), 200, 100)[:, 5].astype(int)
    assert (photo[:40, 2] > photo[:40, 0]).all() and (photo[40:, 0] > photo[40:, 2]).all()
