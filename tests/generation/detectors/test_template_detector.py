"""The embedded detector: drawn copies, things that are none, and what it cannot tell."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "steps"))

from quality_items import ON_CANVAS, background, motif, painted  # noqa: E402

from procrop.generation.detectors import TemplateDetector  # noqa: E402
from procrop.registry import SUBJECT_DETECTORS  # noqa: E402
from procrop.structures.boxes import box_iou  # noqa: E402

SUBJECT = np.array(ON_CANVAS)


def _found(image, **settings):
    return TemplateDetector(**settings).detect(image, SUBJECT)


@pytest.mark.parametrize("place", [(20, 20, 60), (20, 200, 42), (300, 40, 84), (325, 210, 60, "mirrored")])
def test_a_copy_is_found_at_its_place(place):
    found = _found(painted(place).image)
    x, y, side = place[:3]
    assert len(found) == 2 and found.scores[0] == 1.0 and found.scores[1] > 0.8
    np.testing.assert_array_equal(found.boxes[0], SUBJECT)
    assert box_iou([found.boxes[1]], [(x, y, x + side, y + side)])[0, 0] > 0.75
    assert found.labels.tolist() == [0, 0]


def test_two_copies_are_two():
    image = painted((20, 20, 60), (320, 20, 60), (20, 220, 60)).image
    assert len(_found(image)) == 4


def test_copies_out_of_reach_are_not_found():
    mirrored = painted((325, 210, 60, "mirrored")).image
    assert len(_found(mirrored, mirrored=False)) == 1
    small = painted((20, 200, 30)).image
    assert len(_found(small, scales=(1.0,))) == 1 and len(_found(small, scales=(0.5, 1.0))) == 2


def test_a_canvas_without_copies():
    assert [len(_found(painted(image=background(seed=seed)).image)) for seed in range(5)] == [1] * 5


def test_what_has_no_texture_has_no_copies():
    flat = np.full((300, 400, 3), 128, np.uint8)
    assert len(_found(flat)) == 1
    # nor does a gradient look like another one
    ramp = np.repeat(np.linspace(0, 255, 400)[None, :, None], 300, axis=0).repeat(3, axis=2).astype(np.uint8)
    assert len(_found(ramp)) == 1


def test_faint_texture_is_no_copy_of_a_strong_one():
    """Correlation alone does not know contrast."""
    image = painted().image
    faint = motif().astype(float)
    image[20:80, 20:80] = (128 + 0.1 * (faint - faint.mean())).clip(0, 255).astype(np.uint8)
    assert len(_found(image)) == 1


@pytest.mark.parametrize("size", [(1000, 750), (200, 150)])
def test_the_size_of_the_canvas_does_not_matter(size):
    import cv2

    image = cv2.resize(painted((20, 20, 60)).image, size, interpolation=cv2.INTER_AREA)
    scale = size[0] / 400
    found = TemplateDetector().detect(image, SUBJECT * scale)
    assert len(found) == 2
    assert box_iou([found.boxes[1]], [np.array([20, 20, 80, 80]) * scale])[0, 0] > 0.7


def test_subjects_too_thin_or_at_the_edge_do_no_harm():
    image = painted().image
    detector = TemplateDetector()
    assert len(detector.detect(image, np.array([100.0, 100, 101, 290]))) == 1
    found = detector.detect(image, np.array([-20.0, -20, 420, 320]))
    np.testing.assert_array_equal(found.boxes[0], (0, 0, 400, 300))


def test_it_is_deterministic_and_its_settings_are_checked():
    image = painted((20, 20, 60), (320, 20, 60)).image
    a, b = _found(image), _found(image)
    np.testing.assert_array_equal(a.boxes, b.boxes)
    np.testing.assert_array_equal(a.scores, b.scores)
    for settings in (dict(threshold=0), dict(threshold=1), dict(scales=()), dict(scales=(1.0, 0.0))):
        with pytest.raises(ValueError, match=next(iter(settings))):
            TemplateDetector(**settings)
    built = SUBJECT_DETECTORS.build(dict(type="TemplateDetector", threshold=0.7))
    assert built.fingerprint == TemplateDetector().fingerprint
    assert TemplateDetector(mirrored=False).fingerprint != built.fingerprint
