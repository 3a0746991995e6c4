"""What is refused, and that it is refused before anything is made."""

import pytest
from tiny_steps import STEPS, draw_photos, settings

from procrop.generation import DropItem
from procrop.generation.errors import GenerationError
from procrop.generation.pipeline import generate
from procrop.generation.settings import GenerationSettings
from procrop.registry import GENERATION_STEPS

SOURCE = dict(type="FolderSource", root="photos")


@pytest.fixture
def photos(tmp_path):
    return draw_photos(tmp_path / "photos", ["a", "b"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(expansion=3), "unknown key `expansion` of `generation`: did you mean `expansions`"),
        (dict(colour=3), "unknown key `colour` of `generation`: it takes source, steps"),
        (dict(expansions=0), "expansions must be at least 1, not 0"),
        (dict(quality=0), "quality must be a JPEG quality of 1 to 100, not 0"),
        (dict(val_share=0.6, test_share=0.4), "val_share and test_share must .* leave some for training"),
        (dict(steps=[]), "steps is empty"),
        (dict(expansions=2.5), "generation.expansions must be a whole number, not 2.5"),
        (dict(expansions="many"), "generation.expansions must be a whole number, not 'many'"),
        (dict(seed="zero"), "generation.seed must be a whole number, not 'zero'"),
        (dict(quality="best"), "generation.quality must be a whole number, not 'best'"),
        (dict(val_share="a tenth"), "generation.val_share must be a number, not 'a tenth'"),
        (dict(steps=5), r"generation.steps must be a list of dict\(type=...\), not 5"),
        (dict(steps=["TinyCanvas"]), r"generation.steps must be a list of dict\(type=...\)"),
        (dict(source="photos"), r"generation.source must be a list of dict\(type=...\), not 'photos'"),
        (dict(source=None), "`generation` has no `source`"),
    ],
)
def test_values_that_are_refused(values, message):
    config = dict(source=SOURCE, steps=[dict(type="TinyCanvas")]) | values
    config = {key: value for key, value in config.items() if value is not None}
    with pytest.raises(GenerationError, match=message):
        GenerationSettings.from_config(config)


@pytest.mark.parametrize(
    ("steps", "changes", "message"),
    [
        ((*STEPS, "TinyPaintr"), {}, r"steps\[7\] \('TinyPaintr'\) cannot be made: TinyPaintr is not in"),
        (STEPS, dict(TinyMasks=dict(versoin=1)), r"steps\[1\] .*unexpected keyword argument 'versoin'"),
        (
            ("TinyMasks", "TinyCanvas", "TinyPainter"),
            {},
            "TinyPainter needs `analysis`: put a step that makes it",
        ),
        (("TinyCanvas",), {}, "no step makes `image`"),
        (("RandomCrops", "TinyCanvas"), {}, "RandomCrops needs `canvas`: put a step"),
        (STEPS, dict(RandomCrops=dict(mode="unifrom")), "mode must be one of"),
    ],
)
def test_steps_that_are_refused_before_anything_is_made(photos, tmp_path, steps, changes, message):
    with pytest.raises(ValueError, match=message):
        generate(settings(photos, steps=steps, changes=changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_that_are_refused(photos, tmp_path):
    def config(**source):
        return GenerationSettings(source, [dict(type=name) for name in STEPS])

    for source, message in (
        (dict(type="FoldrSource", root="x"), "generation.source: FoldrSource is not in"),
        (dict(type="FolderSource", rot="x"), "generation.source: .*unexpected keyword argument 'rot'"),
        (dict(type="FolderSource", root=str(tmp_path / "none")), "the folder does not exist"),
        (
            dict(type="FolderSource", root=str(photos), credits="none"),
            "licences cannot be read .*credits=None where",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            generate(config(**source), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folders_that_are_refused(photos, tmp_path):
    made = settings(photos)
    with pytest.raises(GenerationError, match="lies in the folder of the source photos"):
        generate(made, photos / "out")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("")
    with pytest.raises(GenerationError, match=r"holds other files \(chapter.tex\)"):
        generate(made, tmp_path / "thesis")
    with pytest.raises(GenerationError, match="is a file"):
        generate(made, tmp_path / "thesis" / "chapter.tex")
    for numbers in (dict(part=2, parts=2), dict(workers=0), dict(threads=0), dict(limit=0)):
        with pytest.raises(GenerationError):
            generate(made, tmp_path / "out", **numbers)


def test_nothing_left_is_an_error_that_says_why(photos, tmp_path):
    made = settings(photos, changes=dict(TinyFilter=dict(drop=[0, 1, 2])))
    with pytest.raises(
        GenerationError, match=r"no item of 2 source photos is left \(first: a.png: figure 0.5"
    ):
        generate(made, tmp_path / "out")


def test_several_sources_and_photos_of_one_name(tmp_path):
    one = draw_photos(tmp_path / "one", ["a", "b/c"])
    draw_photos(tmp_path / "two", ["a", "b_c", "d"], credits=False)
    sources = [dict(type="FolderSource", root=str(one), credits="manifest.jsonl")]
    sources += [dict(type="FolderSource", root=str(tmp_path / "two"))]
    made = GenerationSettings(sources, [dict(type=name) for name in STEPS], expansions=1)
    counts = generate(made, tmp_path / "out").dataset
    assert counts.items == 3 and counts.licences == {"CC BY-SA 3.0": 1, "CC0-1.0": 1, None: 1}
    assert counts.rejected == [
        {"photo": "a.png", "step": "listing", "reason": "same id as a.png: a"},
        {"photo": "b_c.png", "step": "listing", "reason": "same id as b/c.png: b_c"},
    ]
    assert "Some licences are unknown" in (tmp_path / "out/datacard.md").read_text()


def test_a_step_sees_what_it_needs_and_sets_what_it_makes(photos, tmp_path):
    seen = []

    @GENERATION_STEPS.register_module(name="Nosy")
    class Nosy(GENERATION_STEPS.get("TinyComposition")):
        needs = ("photo",)

        def run(self, item, rng):
            seen.append((item.analysis, item.masks, item.photo.shape))
            return item.with_(composition="curved", analysis="overwritten", licence="mine")

    try:
        steps = ["TinyAnalyzer", "TinyMasks", "Nosy", "TinyCanvas", "TinyPainter"]
        generate(settings(photos, steps=steps), tmp_path / "out")
    finally:
        GENERATION_STEPS.module_dict.pop("Nosy")
    assert seen == [(None, None, (32, 48, 3))] * 2
    text = (tmp_path / "out/annotations.jsonl").read_text()
    assert "curved" in text and "mine" not in text and "overwritten" not in text


def test_a_reason_to_drop_a_photo_from_a_kept_step_is_kept(photos, tmp_path):
    runs = []

    @GENERATION_STEPS.register_module(name="Shy")
    class Shy(GENERATION_STEPS.get("TinyAnalyzer")):
        def run(self, item, rng):
            runs.append(item.source_id)
            if item.source_id == "a":
                raise DropItem("says nothing")
            return super().run(item, rng)

    try:
        steps = ["Shy", "TinyMasks", "TinyCanvas", "TinyPainter"]
        generate(settings(photos, steps=steps), tmp_path / "out")
        counts = generate(settings(photos, steps=[*steps, "RandomCrops"]), tmp_path / "out").dataset
    finally:
        GENERATION_STEPS.module_dict.pop("Shy")
    assert runs == ["a", "b"] and counts.items == 3
    assert counts.rejected == [{"photo": "a.png", "step": "Shy", "reason": "says nothing"}]
