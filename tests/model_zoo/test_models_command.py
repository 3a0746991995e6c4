"""`procrop models` against a server on the loopback interface."""

import json
import re

import pytest
from file_server import model_entry, serving, sha256, write_metafile

from procrop.apis.cli import main
from procrop.apis.models_command import table_lines
from procrop.model_zoo import read_zoo
from procrop.model_zoo.metafile import ModelZoo

DATA = b"w" * 5_000_000


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the weights of `tiny`, which a metafile of the environment lists."""
    with serving({"/tiny.pth": DATA}) as server:
        results = [{"Task": "Image Cropping", "Dataset": "FLMS", "Metrics": {"crop/iou@1": 0.8}}]
        own = write_metafile(
            tmp_path / "own.yml", model_entry(f"{server.url}/tiny.pth", DATA, Results=results)
        )
        monkeypatch.setenv("PROCROP_METAFILE", str(own))
        yield server


def test_without_published_weights_the_table_says_so():
    lines = table_lines(ModelZoo(recipes=read_zoo().recipes))
    assert lines[0] == "No trained weights are published yet."
    assert "procrop_gaicv2       GAICD v2          configs/procrop_gaicv2.py" in lines


def test_the_table_tells_what_is_here(server, capsys):
    def row():
        assert main(["models", "list"]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny ")]
        return re.split(" {2,}", line)

    assert row() == ["tiny", "5.0 MB, to download", "none", "CC0-1.0", "drawn photos"]
    assert main(["models", "download", "tiny"]) == 0
    capsys.readouterr()
    assert row()[1] == "5.0 MB, here"


def test_json_holds_all_of_it_on_the_screen_or_in_a_file(server, tmp_path, capsys):
    assert main(["models", "list", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert main(["models", "list", "--json", str(tmp_path / "zoo.json")]) == 0
    assert json.loads((tmp_path / "zoo.json").read_text()) == printed
    (model,) = [model for model in printed["models"] if model["name"] == "tiny"]
    assert model["weights"]["sha256"] == sha256(DATA) and model["weights"]["here"] is False
    assert model["results"][0]["metrics"] == {"crop/iou@1": 0.8} and model["gallery"] is None
    assert "procrop_cpc" in [recipe["name"] for recipe in printed["recipes"]]


def test_a_path_is_printed_once_it_is_here(server, cache, capsys):
    assert main(["models", "path", "tiny"]) == 2
    assert "procrop models download tiny" in capsys.readouterr().err and server.asked == []
    assert main(["models", "download", "tiny", "tiny"]) == 0
    path = cache / "models" / "tiny" / "tiny.pth"
    assert capsys.readouterr().out == f"tiny: weights: {path}\n"
    assert main(["models", "path", "tiny"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert main(["models", "path", "tiny", "--gallery"]) == 2
    assert "tiny has no gallery" in capsys.readouterr().err


def test_a_folder_that_was_filled_serves_as_a_mirror(server, tmp_path, cache, monkeypatch, capsys):
    mirror = tmp_path / "mirror"
    assert main(["models", "download", "tiny", "--to", str(mirror)]) == 0
    assert [path.name for path in mirror.rglob("*")] == ["tiny", "tiny.pth"] and not cache.exists()
    monkeypatch.setenv("PROCROP_MODEL_MIRROR", str(mirror))
    assert main(["models", "download", "tiny"]) == 0
    assert len(server.asked) == 1 and (cache / "models" / "tiny" / "tiny.pth").read_bytes() == DATA


def test_one_unknown_name_stops_before_anything_is_fetched(server, capsys):
    assert main(["models", "download", "tiny", "tinny"]) == 2
    error = capsys.readouterr().err
    assert "no model is called 'tinny'; did you mean tiny?" in error and error.count("\n") == 1
    assert server.asked == []


def test_the_option_names_another_metafile(server, tmp_path, capsys):
    other = write_metafile(tmp_path / "other.yml", model_entry("other.pth", b"o", "other"))
    (tmp_path / "other.pth").write_bytes(b"o")
    assert main(["models", "path", "other", "--metafile", str(other)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'other.pth'}\n"
    assert main(["models", "list", "--metafile", str(tmp_path / "none.yml")]) == 2
    assert "none.yml: there is no such metafile" in capsys.readouterr().err
