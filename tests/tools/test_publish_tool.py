"""tools/publish.py: what it prints, and the entry that it sets."""

import importlib.util
from pathlib import Path

import yaml
from published_model import NAME

ROOT = Path(__file__).resolve().parents[2]


def load_tool():
    spec = importlib.util.spec_from_file_location("publish_tool", ROOT / "tools" / "publish.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_publishes_and_sets_the_entry(trained, tmp_path, capsys):
    metafile = tmp_path / "metafile.yml"
    metafile.write_text("Models: []\n")
    out = tmp_path / "weights" / NAME
    words = [str(trained.checkpoint), "--gallery", str(trained.gallery), "--name", NAME, "--out", str(out)]
    assert load_tool().main([*words, "--photos", str(trained.photos), "--metafile", str(metafile)]) == 0
    said = capsys.readouterr().out
    assert "5,055,471 parameters, 6 photos (CC-BY-SA-3.0 AND CC0-1.0)" in said
    for what in ("weights ", "keys and tokens ", "thumbnails ", "half precision moves boxes by at most "):
        assert what in said
    (model,) = yaml.safe_load(metafile.read_text())["Models"]
    assert model["Name"] == NAME and model["Config"] == "configs/procrop_lite.py"
    assert (out / f"{NAME}.safetensors").stat().st_size == model["Size"]


def test_what_cannot_be_published_is_one_line(trained, tmp_path, capsys):
    words = [
        str(trained.checkpoint),
        "--gallery",
        str(tmp_path),
        "--name",
        NAME,
        "--out",
        str(tmp_path / "x"),
    ]
    assert load_tool().main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("publish.py: error: ") and error.count("\n") == 1
