"""Random numbers, fingerprints and kept results of steps in a row."""

import numpy as np
import pytest
from tiny_steps import STEPS

from procrop.generation import BeyondImage, CanvasPlan, CompositionAnalysis, WithinImage
from procrop.generation.chain import StepChain
from procrop.generation.datacard import without_numbers
from procrop.generation.result_store import KeptResult, ResultStore
from procrop.registry import GENERATION_STEPS


def chain(seed=0, names=STEPS, **changes):
    return StepChain([GENERATION_STEPS.build(dict(type=n, **changes.get(n, {}))) for n in names], seed)


def test_random_numbers_are_those_of_the_item():
    import hashlib

    made = chain(7)
    number = made.names.index("TinyCanvas")
    digest = hashlib.sha256(b"7/TinyCanvas/photo/2").digest()
    expected = np.random.default_rng(int.from_bytes(digest, "big")).random(5)
    assert np.array_equal(made.rng(number, "photo", 2).random(5), expected)
    drawn = {
        made.rng(n, source, variant).random()
        for n in made.each
        for source in ("a", "b")
        for variant in range(3)
    }
    assert len(drawn) == len(made.each) * 6
    once = made.names.index("TinyAnalyzer")  # on the source photo: the same for all expansions
    assert made.rng(once, "a", 0).random() == made.rng(once, "a", 2).random()


def test_steps_of_one_type_have_names_of_their_own():
    made = chain(names=("TinyCanvas", "TinyFilter", "TinyFilter"))
    assert made.names == ["TinyCanvas", "TinyFilter", "TinyFilter_2"]
    assert made.rng(1, "a", 0).random() != made.rng(2, "a", 0).random()


def test_what_a_step_is_shown():
    made = chain(names=("TinyCanvas", "TinyAnalyzer", "TinyPainter", "RandomCrops"))
    assert made.needs(0) == ("photo",) and made.needs(1) == ("photo",)
    assert made.needs(2) == ("analysis", "canvas", "masks", "photo") and made.needs(3) == ("canvas",)
    made.steps[
        3
    ].needs = None  # all that was made before, also by steps on the photo that come later in the list
    assert made.needs(3) == ("analysis", "canvas", "image", "photo")


ANALYSIS = CompositionAnalysis(
    "a caption",
    WithinImage(("x", "y"), "x", (0.1, 0.2, 0.3, 0.4), "curved"),
    BeyondImage("sea", scene="a bay"),
)
FIELDS = {
    "analysis": ANALYSIS,
    "masks": np.arange(24, dtype=np.uint16).reshape(2, 3, 4),
    "canvas": CanvasPlan(70, 50, (1, 2, 30, 40)),
    "image": np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8),
    "quality": {"seam": 0.25},
    "composition": "curved",
    "crops": np.array([[0, 0, 9, 9.5]]),
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_comes_back_as_it_was(tmp_path, name):
    store = ResultStore(tmp_path)
    store.put("k", {"from": 1}, ["draw"], KeptResult({name: FIELDS[name]}, drew=True))
    found = store.get("k", {"from": 1}, ["draw"])
    assert found.drew and found.dropped is None and list(found.fields) == [name]
    np.testing.assert_equal(found.fields[name], FIELDS[name])
    assert type(found.fields[name]) is type(FIELDS[name])
    assert getattr(found.fields[name], "dtype", None) == getattr(FIELDS[name], "dtype", None)


def test_a_result_counts_for_what_it_was_made_from(tmp_path):
    store = ResultStore(tmp_path)
    store.put("k", {"a": 1}, [0], KeptResult({"image": FIELDS["image"]}, drew=True))
    assert store.get("k", {"a": 1}, [0]) and store.get("k", {"a": 2}, [0]) is None
    assert store.get("k", {"a": 1}, [1]) is None and store.get("other", {"a": 1}, [0]) is None
    store.put("calm", {"a": 1}, [0], KeptResult({"composition": None}))
    assert store.get("calm", {"a": 1}, [1]).fields == {"composition": None}  # drew nothing: any seed
    store.put("out", {"a": 1}, [0], KeptResult({}, "too dark"))
    assert store.get("out", {"a": 1}, [0]).dropped == "too dark"


def test_damaged_results_are_made_again(tmp_path):
    store = ResultStore(tmp_path)
    store.put("k", {}, None, KeptResult({"image": FIELDS["image"]}))
    (picture,) = tmp_path.rglob("*.png")
    picture.write_bytes(picture.read_bytes()[:-1])
    assert store.get("k", {}, None) is None
    store.put("k", {}, None, KeptResult({"image": FIELDS["image"]}))
    (entry,) = tmp_path.rglob("*.json")
    for text in ("", "[]", entry.read_text()[:40], '{"from": {}, "draw": null}'):
        entry.write_text(text)
        assert store.get("k", {}, None) is None
    with pytest.raises(ValueError, match="a step that makes `thing` cannot be kept"):
        store.put("k", {}, None, KeptResult({"thing": np.zeros(3)}))


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("a photo of 800 x 1 pixels cannot cover 0.1 of it", "a photo of # x # pixels cannot cover # of it"),
        ("the edge is 5.32 times that, more than 2", "the edge is # times that, more than #"),
        ("shifted by -4.5 (126 bytes)", "shifted by -# (# bytes)"),
        ("gpt-4o-2024-08-06 refuses: no", "gpt-4o-2024-08-06 refuses: no"),
        ("no answer of v1.5 in 3: char 1", "no answer of v1.5 in #: char #"),
    ],
)
def test_reasons_are_counted_without_their_numbers(reason, shown):
    assert without_numbers(reason) == shown
