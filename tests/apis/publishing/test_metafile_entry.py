"""The entry of a published model in a metafile: made, and kept up to date."""

import pytest
import yaml
from published_model import NAME

from procrop.apis.publishing import EntryWords, Published, with_entry
from procrop.io.manifest import sha256_file
from procrop.model_zoo import read_zoo

WORDS = EntryWords(NAME, "ProCrop", "configs/a.py", "Apache-2.0", ("windows", "more"), "wallpapers")
EMPTY = "Collections:\n  - Name: ProCrop\n\nModels: []\n\n# more\nRecipes:\n  - Name: other\n    Size: 3\n"


@pytest.fixture
def published(published_zoo):
    folder = published_zoo / "weights" / NAME
    return Published(
        folder, folder / f"{NAME}.safetensors", folder / "gallery", {}, 6, "CC-BY-SA-3.0 AND CC0-1.0", 77, {}
    )


def test_a_new_entry_says_what_is_measured(published):
    made = yaml.safe_load(with_entry(EMPTY, WORDS, published))
    (model,) = made["Models"]
    assert made["Recipes"] == [{"Name": "other", "Size": 3}]
    assert model["SHA-256"] == sha256_file(published.weights)
    assert model["Size"] == published.weights.stat().st_size
    assert model["Weights"] == f"package:weights/{NAME}/{NAME}.safetensors"
    assert model["Metadata"] == {"Training Data": ["windows", "more"], "Parameters": 77}
    gallery = model["Gallery"]
    assert gallery["SHA-256"] == sha256_file(published.gallery / "manifest.json")
    assert gallery["Size"] == sum(p.stat().st_size for p in published.gallery.rglob("*") if p.is_file())
    assert (gallery["Photos"], gallery["License"]) == (6, "CC-BY-SA-3.0 AND CC0-1.0")


def test_an_entry_keeps_what_people_wrote(published):
    text = with_entry(EMPTY, WORDS, published)
    right = text.replace("    License: Apache-2.0", "    License: Apache-2.0  # ours\n    Results: []")
    digest, size = sha256_file(published.weights), published.weights.stat().st_size
    old = (
        right.replace(digest, "0" * 64).replace(f"Size: {size}", "Size: 1").replace("Photos: 6", "Photos: 5")
    )
    old = old.replace("Parameters: 77", "Parameters: 1").replace("CC-BY-SA-3.0 AND CC0-1.0", "CC0-1.0")
    assert old != right and with_entry(old, WORDS, published) == right
    assert with_entry(right, WORDS, published) == right


def test_a_second_model_comes_beside_the_first(published):
    text = with_entry(EMPTY, WORDS, published)
    second = EntryWords("other-model", *list(vars(WORDS).values())[1:])
    names = [model["Name"] for model in yaml.safe_load(with_entry(text, second, published))["Models"]]
    assert names == ["other-model", NAME]


def test_a_text_without_models_is_refused(published):
    with pytest.raises(ValueError, match="no line 'Models:'"):
        with_entry("Recipes: []\n", WORDS, published)


def test_the_model_can_be_had_by_its_name(lite):
    assert read_zoo().models[NAME] == lite and lite.gallery.photos >= 6
