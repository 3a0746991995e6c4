"""The rules for the nine classes, on drawings of them."""

import numpy as np
import pytest
from drawings import draw

from procrop.generation import CADItem
from procrop.generation.classes import COMPOSITION_CLASSES
from procrop.generation.layout import PhotoLayout, class_scores
from procrop.registry import GENERATION_STEPS

MARGIN = 0.1


@pytest.mark.parametrize("name", COMPOSITION_CLASSES)
def test_each_class_is_recognised_with_a_margin(name):
    for seed in range(6):
        scores = class_scores(PhotoLayout.of(draw(name, seed)))
        assert set(scores) == set(COMPOSITION_CLASSES)
        others = max(score for other, score in scores.items() if other != name)
        assert scores[name] >= others + MARGIN, (seed, scores)


@pytest.mark.parametrize("name", COMPOSITION_CLASSES)
def test_format_size_and_mirror_change_no_class(name):
    step = GENERATION_STEPS.build(dict(type="RuleComposition"))
    for photo in (draw(name, 7, (400, 400)), draw(name, 7, (640, 960)), draw(name, 7, (480, 320))):
        for view in (photo, np.ascontiguousarray(photo[:, ::-1])):
            found = step.run(CADItem("a", 0, "a.jpg", photo=view), np.random.default_rng(0))
            assert found.composition == name


@pytest.mark.parametrize("name", ["diagonal", "horizontal", "symmetric"])
def test_scores_of_a_mirrored_photo_are_the_same(name):
    photo = draw(name, 3)
    mirrored = class_scores(PhotoLayout.of(photo[:, ::-1]))
    assert class_scores(PhotoLayout.of(photo)) == pytest.approx(mirrored, abs=1e-5)


def test_a_plain_photo_counts_as_centred():
    layout = PhotoLayout.of(np.full((60, 90, 3), 90, np.uint8))
    scores = class_scores(layout)
    assert max(scores, key=scores.get) == "centre" and scores["centre"] == pytest.approx(0.05)
