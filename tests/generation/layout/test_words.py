"""The rule analyser: its words are true of drawn pictures, and only left and right change in a mirror."""

import json
import re

import cv2
import numpy as np
import pytest
from drawings import draw

from procrop.generation import CADItem, CompositionAnalysis
from procrop.generation.analysis import SIDES
from procrop.generation.classes import COMPOSITION_CLASSES
from procrop.registry import GENERATION_STEPS

STEP = GENERATION_STEPS.build(dict(type="RuleAnalyzer"))


def analyse(photo):
    return STEP.run(CADItem("a", 0, "a.jpg", photo=photo), np.random.default_rng(0)).analysis


def mirrored_words(analysis):
    """The analysis of the mirrored photo, by exchanging words and sides."""
    swap = {"left": "right", "right": "left"}
    text = re.sub(r"\b(left|right)\b", lambda m: swap[m[1]], json.dumps(analysis.as_dict()))
    values = json.loads(text)
    if (box := values["within"]["subject_box"]) is not None:
        values["within"]["subject_box"] = [1 - box[2], box[1], 1 - box[0], box[3]]
    return values


def scene(rng, width=210, height=140):
    """A random picture: sky, ground, things and lines."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = rng.integers(0, 256, 3)
    image[rng.integers(40, 100) :] = rng.integers(0, 256, 3)
    for _ in range(5):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        a, b = (tuple(int(v) for v in rng.integers(0, (width, height))) for _ in range(2))
        cv2.line(image, a, b, colour, 3)
        cv2.circle(image, a, int(rng.integers(4, 25)), colour, -1)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_a_mirror_changes_left_and_right_alone(seed):
    photo = scene(np.random.default_rng(seed)) if seed < 6 else draw(COMPOSITION_CLASSES[seed - 5], seed)
    here = analyse(photo).as_dict()
    there = mirrored_words(analyse(np.ascontiguousarray(photo[:, ::-1])))
    boxes = [values["within"].pop("subject_box") for values in (here, there)]
    assert here == there
    assert boxes[0] == pytest.approx(boxes[1]) if boxes[0] else boxes[1] is None


def test_the_sides_are_named_by_colour_and_texture():
    photo = np.zeros((200, 300, 3), np.uint8)
    photo[:100] = (70, 120, 220)
    grass = np.random.default_rng(0).integers(-70, 70, (100, 300, 1))
    photo[100:] = np.clip(np.array((60, 140, 50)) + grass, 0, 255)
    found = analyse(photo)
    beyond = found.beyond
    assert beyond.top == "plain blue" and beyond.bottom == "busy green texture"
    assert beyond.left == beyond.right == "plain blue above busy green texture"
    assert "a horizon at mid-height" in found.within.elements
    assert beyond.scene == "a scene in blue and green that goes on beyond the frame"


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (0.5, 0.5, "in the centre"),
        (0.2, 0.5, "on the left"),
        (0.8, 0.2, "in the upper right"),
        (0.5, 0.8, "middle"),
    ],
)
def test_the_subject_is_found_and_placed(x, y, place):
    photo = np.full((240, 360, 3), 200, np.uint8)
    cv2.circle(photo, (round(x * 360), round(y * 240)), 24, (200, 20, 30), -1)
    within = analyse(photo).within
    assert within.subject.startswith("a red subject") and within.subject.endswith(place)
    x1, y1, x2, y2 = within.subject_box
    assert x1 < x < x2 and y1 < y < y2 and (x2 - x1) * (y2 - y1) < 0.12
    assert (x1 + x2) / 2 == pytest.approx(x, abs=0.03) and (y1 + y2) / 2 == pytest.approx(y, abs=0.03)


@pytest.mark.parametrize("mirror", [False, True])
def test_a_diagonal_says_where_it_goes(mirror):
    photo = np.full((200, 300, 3), 220, np.uint8)
    cv2.line(photo, (0, 190), (299, 10), (20, 20, 20), 6)
    found = analyse(photo[:, ::-1] if mirror else photo)
    ends = ("lower right", "upper left") if mirror else ("lower left", "upper right")
    assert f"a diagonal from the {ends[0]} to the {ends[1]}" in found.within.elements
    assert found.within.composition == "diagonal"


@pytest.mark.parametrize(
    "photo",
    [
        np.full((40, 60, 3), 128, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((3, 2000, 3), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (50, 7, 3), dtype=np.uint8),
    ],
)
def test_photos_without_anything_still_follow_the_schema(photo):
    found = analyse(photo)
    assert CompositionAnalysis.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert all(getattr(found.beyond, side) for side in SIDES)
    if photo.std() == 0:
        assert found.within.subject == "" and found.within.subject_box is None
