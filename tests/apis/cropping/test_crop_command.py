"""The command around a cropper that is a stand-in: what it writes, what it refuses."""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in
from PIL import Image

from procrop.apis.cli import main
from procrop.apis.cropping import command

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    stand_in(monkeypatch)


def test_crops_records_and_sheet(tmp_path, capsys):
    draw_photo(tmp_path / "in" / "a.png")
    draw_photo(tmp_path / "in" / "sub" / "b.png", (40, 100))
    out = tmp_path / "out"
    options = ["--gallery", "g", "--device", "cpu", "--k", 4, "--query-encoder", "keys.safetensors"]
    assert run(tmp_path / "in", "--out", out, "--top-k", 2, *options) == 0
    assert HalfCropper.made == [("model.pth", "g", "cpu", 4, "keys.safetensors")]
    first, second = read_lines(out)
    assert first["path"] == str(tmp_path / "in" / "a.png") and first["size"] == [80, 60]
    assert [crop["file"] for crop in first["crops"]] == ["crops/a_1.png", "crops/a_2.png"]
    assert [crop["file"] for crop in second["crops"]] == ["crops/sub/b_1.png", "crops/sub/b_2.png"]
    assert first["crops"][0] == {
        "box": [40, 0, 80, 60],
        "score": 0.9,
        "focal_point": [75, 50],
        "file": "crops/a_1.png",
        "file_size": [40, 60],
        "lossless": True,
        "file_notes": [],
    }
    assert (second["name"], second["stem"], second["ratio"]) == ("sub/b.png", "sub/b", None)
    assert first["references"][0]["name"] == "gone.jpg"
    crop = np.asarray(Image.open(out / "crops" / "a_1.png"))
    assert crop.shape == (60, 40, 3) and crop.min() == 255  # the white half and nothing of the black one
    assert Image.open(out / "sheet.png").width > 1000
    assert sorted(path.name for path in out.iterdir()) == [
        "crops",
        "crops.csv",
        "crops.jsonl",
        "run.json",
        "sheet.png",
    ]
    assert "2 of 2 photos cropped" in capsys.readouterr().out


def test_bad_photos_are_listed_and_the_rest_goes_on(tmp_path, capsys):
    draw_photo(tmp_path / "in" / "a.png")
    draw_photo(tmp_path / "in" / "large.png", (1200, 10))
    (tmp_path / "in" / "empty.jpg").touch()
    (tmp_path / "in" / "text.jpg").write_text("no photo")
    out = tmp_path / "out"
    assert run(tmp_path / "in", tmp_path / "missing.jpg", "--out", out) == 1
    records = {Path(line["path"]).name: line for line in read_lines(out)}
    assert set(records) == {"a.png", "empty.jpg", "large.png", "missing.jpg", "text.jpg"}
    assert "rejected" not in records["a.png"]
    assert "zero bytes" in records["empty.jpg"]["rejected"]
    assert records["large.png"]["rejected"] == "too large"
    assert "does not exist" in records["missing.jpg"]["rejected"]
    assert sorted(path.name for path in (out / "crops").iterdir()) == ["a_1.png", "a_2.png"]
    errors = capsys.readouterr().err
    assert errors.count("rejected: ") == 4 and "text.jpg" in errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in", "--out", "in"], "input folder too"),
        (["in", "--out", "file"], "is a file"),
        (["empty", "--out", "out"], "holds no photo"),
        (["in", "--out", "out", "--top-k", "4"], "predicts 3 crops"),
        (["in/crops", "--out", "in"], "where --out"),
        (["in", "--out", "out", "--import", "no_such_module"], "no_such_module"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    draw_photo(tmp_path / "in" / "crops" / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("kept")
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists() and (tmp_path / "file").read_text() == "kept"
    assert [path.name for path in (tmp_path / "in").rglob("*")] == ["crops", "a.png"]


def test_without_a_checkpoint_the_model_of_the_package_is_taken(tmp_path, lite):
    draw_photo(tmp_path / "a.png")
    assert main(["crop", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 0
    assert HalfCropper.made[0][0] == lite.name


def test_a_photo_is_all_that_must_be_named(tmp_path, monkeypatch, lite):
    draw_photo(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    assert main(["crop", "a.png"]) == 0
    assert (tmp_path / "crops/sheet.png").is_file() and (tmp_path / "crops/crops/a_1.png").is_file()


def test_the_environment_names_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("PROCROP_CHECKPOINT", "other.pth")
    draw_photo(tmp_path / "a.png")
    assert main(["crop", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]) == 0
    assert HalfCropper.made[0][0] == "other.pth"


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom procrop.apis.cli import main\n"
        "try:\n    main(['crop', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'mmengine') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]" and "--checkpoint" in done.stdout


def test_the_tool_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "tools/crop.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "no photo is named" in done.stderr


def test_the_page_names_the_options_there_are():
    options = {
        word for action in _parser()._actions for word in action.option_strings if word.startswith("--")
    }
    page = (ROOT / "docs" / "crop_command.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", page))
    assert named <= options
    rest = {"--help", "--device", "--import", "--query-encoder", "--text-encoder", "--sheet"}
    assert options - named == rest  # the other pages' and what the help says in full


def _parser():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser
