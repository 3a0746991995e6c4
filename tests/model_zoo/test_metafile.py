"""What a metafile says, and what is said of one that cannot be used."""

from pathlib import Path

import pytest
import yaml
from file_server import model_entry, sha256, write_metafile

from procrop.model_zoo import MetafileError, ModelZooError, read_zoo
from procrop.model_zoo.metafile import PACKAGE_METAFILE

ROOT = Path(__file__).resolve().parents[2]
DATA = b"weights"
GALLERY = {
    "Location": "https://models.invalid/gallery.zip",
    "SHA-256": "a" * 64,
    "Size": 12,
    "License": "CC0-1.0",
    "Source": "drawn photos",
    "Photos": 4,
    "Folder": "index",
}


def test_the_package_lists_only_what_exists():
    zoo = read_zoo()
    for model in zoo.models.values():
        assert (ROOT / model.config).is_file() and all(file.size > 0 for file in model.files)
    assert {"procrop_gaicv2", "procrop_gaicv1", "procrop_cpc", "cdetr_gaicv2"} <= set(zoo.recipes)
    for recipe in zoo.recipes.values():
        assert Path(recipe.config).stem == recipe.name and (ROOT / recipe.config).is_file()
        if recipe.training[0].startswith("python"):
            assert recipe.training[-1] == f"python tools/train.py {recipe.config}"
        for command in recipe.training:
            for word in command.split():
                assert "/" not in word or (ROOT / word).is_file(), command


def test_recipes_prepare_what_their_configs_need():
    """A config with references needs neighbours, one with text needs its text tokens, before the training."""
    from mmengine.config import Config

    for recipe in read_zoo().recipes.values():
        if recipe.name == "procrop_toy":  # make quickstart does all of it
            continue
        dataset = Config.fromfile(ROOT / recipe.config).train_dataloader.dataset
        while "dataset" in dataset:
            dataset = dataset.dataset
        tools = [command.split()[1] for command in recipe.training]
        assert ("tools/neighbours.py" in tools) == bool(dataset.get("references")), recipe.name
        assert ("tools/text.py" in tools) == bool(dataset.get("text")), recipe.name


def test_all_that_is_written_is_read(tmp_path):
    results = [{"Task": "Image Cropping", "Dataset": "FLMS", "Metrics": {"crop/iou@1": 0.8}}]
    entry = model_entry("https://models.invalid/tiny.pth", DATA, Results=results, Gallery=GALLERY)
    path = write_metafile(tmp_path / "own.yml", entry)
    model = read_zoo(path).model("tiny")
    assert (model.collection, model.config) == ("ProCrop", "configs/procrop_toy.py")
    assert model.training_data == ("drawn photos",) and model.metadata["Parameters"] == 3
    weights, gallery = model.files
    assert weights.location == "https://models.invalid/tiny.pth" and weights.sha256 == sha256(DATA)
    assert (weights.size, weights.license, weights.metafile) == (7, "CC0-1.0", path)
    assert (gallery.source, gallery.photos, gallery.folder) == ("drawn photos", 4, "index")
    (result,) = model.results
    assert (result.dataset, result.metrics) == ("FLMS", {"crop/iou@1": 0.8})


def test_the_environment_names_a_metafile_whose_models_join(tmp_path, monkeypatch):
    own = write_metafile(tmp_path / "own.yml", model_entry("tiny.pth", DATA))
    monkeypatch.setenv("PROCROP_METAFILE", str(own))
    zoo = read_zoo()
    assert "tiny" in zoo.models and "procrop_gaicv2" in zoo.recipes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Licence": "x"}, r"Models 1 \(tiny\) has the unknown key 'Licence'; did you mean 'License'\?"),
        ({"SHA-256": None}, "'SHA-256' must be 64 hex digits in quotes, not None"),
        ({"SHA-256": int("1" * 64)}, "'SHA-256' must be 64 hex digits in quotes"),
        ({"SHA-256": "a" * 63}, "'SHA-256' must be 64 hex digits"),
        ({"Size": 0}, "'Size' must be a whole number above 0"),
        ({"Size": True}, "'Size' must be a whole number above 0"),
        ({"Size": "12 MB"}, "'Size' must be a whole number above 0"),
        ({"Name": "../tiny"}, "'Name' must be of letters"),
        ({"Name": "procrop_gaicv2"}, "another model of this name"),
        ({"In Collection": "Other"}, "no collection 'Other'; there are ProCrop"),
        ({"Metadata": {}}, "Metadata has no 'Training Data'"),
        ({"Metadata": {"Training Data": [1]}}, "'Training Data' must be a text or a list of texts"),
        ({"Weights": "ftp://host/tiny.pth"}, "none of package:PATH, http"),
        ({"Weights": "https://host/"}, "ends in no file name"),
        ({"Weights": "https://host/a%2Fb"}, "ends in no file name"),
        ({"Weights": "https:///tiny.pth"}, "names no server"),
        ({"Weights": "https://host/tiny 1.pth"}, "blanks"),
        ({"Weights": "package:../cli.py"}, "inside procrop/model_zoo"),
        ({"Results": [{"Task": "t", "Dataset": "d", "Metrics": {"iou": float("nan")}}]}, "must be a number"),
        ({"Results": [{"Task": "t", "Dataset": "d", "Metric": {}}]}, "did you mean 'Metrics'"),
        ({"Gallery": GALLERY | {"Folder": "../x"}}, "'Folder' must lie within"),
        ({"Gallery": GALLERY | {"Location": "https://host/g.tar"}}, "a .zip archive"),
        ({"Gallery": "a folder"}, "Gallery must be a mapping"),
    ],
)
def test_a_wrong_entry_is_an_error_that_names_file_model_and_key(tmp_path, change, message):
    path = write_metafile(tmp_path / "own.yml", model_entry("tiny.pth", DATA) | change)
    with pytest.raises(MetafileError, match=message) as raised:
        read_zoo(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "key", ["Name", "In Collection", "Config", "Metadata", "Weights", "SHA-256", "License"]
)
def test_nothing_may_be_left_out(tmp_path, key):
    entry = model_entry("tiny.pth", DATA)
    del entry[key]
    with pytest.raises(MetafileError, match="has no"):
        read_zoo(write_metafile(tmp_path / "own.yml", entry))


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path):
    path = write_metafile(tmp_path / "own.yml", model_entry("https://me:hunter2@host/tiny.pth", DATA))
    with pytest.raises(MetafileError, match="user and password") as raised:
        read_zoo(path)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Models: [", "cannot be read as YAML"),
        ("- Models", "must be a mapping"),
        ("Models: {}\nModel: []", "did you mean 'Models'"),
        ("Models: {a: b}", "'Models' must be a list"),
        ("Models: [!!python/object/apply:os.getcwd []]", "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_no_metafile_is_refused(tmp_path, text, message):
    path = tmp_path / "own.yml"
    path.write_text(text)
    with pytest.raises(MetafileError, match=message):
        read_zoo(path)


def test_a_missing_metafile_is_named(tmp_path):
    with pytest.raises(MetafileError, match="nowhere.yml: there is no such metafile"):
        read_zoo(tmp_path / "nowhere.yml")


def test_names_that_no_model_has():
    zoo = read_zoo()
    with pytest.raises(
        ModelZooError, match="no weights of procrop_gaicv2 are published; train it: python tools/neigh"
    ):
        zoo.model("procrop_gaicv2")
    with pytest.raises(
        ModelZooError, match="no model is called 'procrop_gaicv22'; did you mean procrop_gaicv2"
    ):
        zoo.model("procrop_gaicv22")


def test_openmmlab_tools_find_their_keys():
    """Collections with Name, models with Name, In Collection, Config, Metadata, Results and Weights."""
    content = yaml.safe_load(PACKAGE_METAFILE.read_text(encoding="utf-8"))
    assert [sorted(one)[0] for one in content["Collections"]] and isinstance(content["Models"], list)
    for model in content["Models"]:
        assert {"Name", "In Collection", "Config", "Metadata", "Weights"} <= set(model)
