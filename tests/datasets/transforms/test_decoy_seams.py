"""Decoy seams and the shared encoding as steps of a training pipeline."""

import numpy as np
import pytest

from procrop.datasets.transforms import DecoySeams, SameEncoding
from procrop.registry import TRANSFORMS
from procrop.structures.seams import SEAM_KINDS, jpeg_encoded

IMG = np.random.default_rng(0).integers(60, 190, (90, 120, 3), dtype=np.uint8)


def _apply(step, seed=0, img=IMG):
    np.random.seed(seed)
    before = img.copy()
    boxes = np.array([[1, 2, 30, 40.0]])
    results = step(dict(img=img, gt_bboxes=boxes.copy()))
    np.testing.assert_array_equal(img, before)
    np.testing.assert_array_equal(results["gt_bboxes"], boxes)
    assert results["img"].shape == img.shape and results["img"].dtype == np.uint8
    return results["img"]


def _box_of(changed):
    """The rectangle of a mask, after a look that it is one."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.8
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@pytest.mark.parametrize("inside", [True, False])
def test_a_single_decoy_alters_one_side_of_a_rectangle(inside):
    step = DecoySeams(prob=1, count=(1, 1), kinds=("colour",), inside_prob=float(inside))
    boxes = set()
    for seed in range(8):
        changed = (_apply(step, seed) != IMG).any(axis=2)
        x1, y1, x2, y2 = _box_of(changed if inside else ~changed)
        boxes.add((x1, y1, x2, y2))
        assert 0 < x1 < x2 < 120 and 0 < y1 < y2 < 90
    assert len(boxes) == 8


def test_probability_and_reproducibility():
    changed = [not np.array_equal(_apply(DecoySeams(prob=0.4), seed), IMG) for seed in range(200)]
    assert 0.3 < np.mean(changed) < 0.5
    assert _apply(DecoySeams(prob=0)) is IMG
    step = DecoySeams(prob=1)
    np.testing.assert_array_equal(_apply(step, 3), _apply(step, 3))
    assert not np.array_equal(_apply(step, 3), _apply(step, 4))


def test_later_steps_draw_the_same_whatever_the_decoys_did():
    after = []
    for prob in (0, 1):
        _apply(DecoySeams(prob=prob), 5)
        after.append(np.random.random())
    assert after[0] == after[1]


def test_tiny_photos_are_left_alone():
    tiny = IMG[:31]
    assert _apply(DecoySeams(prob=1), img=tiny) is tiny


def test_the_shared_encoding_is_one_jpeg_of_the_whole_photo():
    np.testing.assert_array_equal(_apply(SameEncoding((80, 80))), jpeg_encoded(IMG, 80))
    qualities = {q: jpeg_encoded(IMG, q).tobytes() for q in (90, 91, 92)}
    seen = {_apply(SameEncoding((90, 92)), seed).tobytes() for seed in range(30)}
    assert seen == set(qualities.values())
    encoded = [not np.array_equal(_apply(SameEncoding(prob=0.5), seed), IMG) for seed in range(100)]
    assert 0.35 < np.mean(encoded) < 0.65
    assert _apply(SameEncoding(prob=0)) is IMG


@pytest.mark.parametrize(
    ("step", "settings", "message"),
    [
        (DecoySeams, dict(prob=2), "prob and inside_prob"),
        (DecoySeams, dict(count=(0, 2)), "count must be"),
        (DecoySeams, dict(count=(3, 2)), "count must be"),
        (DecoySeams, dict(area=(0.1, 0.9)), "area must be"),
        (DecoySeams, dict(kinds=("blur", "crack")), "kinds must be some of"),
        (DecoySeams, dict(kinds=()), "kinds must be some of"),
        (SameEncoding, dict(quality=(90, 80)), "quality must be"),
        (SameEncoding, dict(quality=(90, 100)), "quality must be"),
        (SameEncoding, dict(prob=-1), "prob must be"),
    ],
)
def test_faults(step, settings, message):
    with pytest.raises(ValueError, match=message):
        step(**settings)


def test_registered():
    built = TRANSFORMS.build(dict(type="DecoySeams", prob=0.25))
    assert built.prob == 0.25 and built.kinds == SEAM_KINDS
    assert TRANSFORMS.build(dict(type="SameEncoding")).quality == (70, 95)
