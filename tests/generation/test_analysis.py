"""The schema of an analysis: what passes, what is refused by name, and the prompts made of it."""

import copy
import json

import pytest

from procrop.generation import BeyondImage, CompositionAnalysis, WithinImage
from procrop.generation.analysis import AnalysisError

FULL = CompositionAnalysis(
    "A boat on a lake.",
    WithinImage(("a boat", "its reflection"), "the boat", (0.2, 0.4, 0.6, 0.8), "centre"),
    BeyondImage("reeds", "", "sky", "water", "a mountain lake"),
)


def test_json_round_trip():
    assert CompositionAnalysis.from_dict(json.loads(json.dumps(FULL.as_dict()))) == FULL
    bare = CompositionAnalysis("Nothing.")
    assert CompositionAnalysis.from_dict(json.loads(json.dumps(bare.as_dict()))) == bare


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("caption",), 3, "caption must be a text"),
        (("within", "elements"), "boat", "within.elements must be a list"),
        (("within", "elements"), ["boat", None], r"within.elements\[1\] must be a text"),
        (("within", "subject_box"), [0.1, 0.1, 0.5], "four numbers"),
        (("within", "subject_box"), [0.5, 0.1, 0.2, 0.4], "x1 < x2"),
        (("within", "subject_box"), [0, 0, 300, 200], r"in \[0, 1\]"),
        (("within", "subject_box"), [0, 0, float("nan"), 1], "x1 < x2"),
        (("within", "composition"), "golden", "one of"),
        (("beyond",), None, "beyond must be an object"),
        (("beyond", "north"), "ice", "unknown"),
    ],
)
def test_what_breaks_the_schema_is_named(where, value, message):
    values = copy.deepcopy(FULL.as_dict())
    place = values
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    with pytest.raises(AnalysisError, match=message):
        CompositionAnalysis.from_dict(values)


def test_a_missing_key_is_named():
    values = FULL.as_dict()
    del values["within"]["subject"]
    with pytest.raises(AnalysisError, match="within: keys missing .'subject'."):
        CompositionAnalysis.from_dict(values)


def test_prompts_of_figure_4():
    assert FULL.prompt("caption") == "A boat on a lake."
    assert "its reflection" in FULL.prompt("within") and "reeds" not in FULL.prompt("within")
    assert "left: reeds" in FULL.prompt("beyond") and "its reflection" not in FULL.prompt("beyond")
    assert "right:" not in FULL.prompt("beyond")
    assert all(part in FULL.prompt("both") for part in ("the boat", "mountain lake", "bottom: water"))
    with pytest.raises(ValueError, match="prompt mode"):
        FULL.prompt("all")
