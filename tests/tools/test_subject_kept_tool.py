"""tools/subject_kept.py from the outside, on two drawn photos and a cropper that takes the right half."""

import json
import runpy
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Two photos of 120 x 80 with a red square, right and left; and a model that always crops to the right."""
    lines = []
    for name, left in (("right", 80), ("left", 5)):
        pixels = np.full((80, 120, 3), 90, np.uint8)
        pixels[20:50, left : left + 30] = (220, 30, 30)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.png")
        line = dict(
            dataset="drawn",
            file=f"{name}.png",
            size=[120, 80],
            what="square",
            subject=[left, 20, left + 30, 50],
        )
        lines.append(line | ({"head": [left, 20, left + 10, 30]} if name == "left" else {}))
    (tmp_path / "subjects.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    from procrop.inference import CropResult

    class RightCropper:
        def __init__(self, checkpoint, gallery=None, device=None):
            assert (str(checkpoint), gallery, device) == ("model.pth", None, None)

        def embed(self, photo, path):
            return types.SimpleNamespace(photo=photo, path=str(path), size=photo.shape[1::-1])

        def answer(self, embedding, request):
            width, height = embedding.size
            assert request.top_k == 1 and request.subject is None
            if "left" in embedding.path and request.ratio == "1:2":
                return CropResult(embedding.path, embedding.size, rejected="cannot be")
            w = {"1:1": height, "1:2": height / 2}[request.ratio]
            return CropResult(
                embedding.path, embedding.size, np.array([[width - w, 0, width, height]]), np.ones(1)
            )

    module = types.ModuleType("procrop.inference.crop_inferencer")
    module.CropInferencer = RightCropper
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("procrop.model_zoo.resolve_model", lambda checkpoint, gallery: (checkpoint, gallery))
    return tmp_path


def run(place, *words, ratios=("1:1",), model=("--checkpoint", "ours=model.pth")):
    main = runpy.run_path(str(ROOT / "tools" / "subject_kept.py"))["main"]
    given = [
        "--subjects",
        place / "subjects.jsonl",
        "--photos",
        f"drawn={place / 'photos'}",
        "--resamples",
        200,
    ]
    return main([str(word) for word in (*given, *model, *words, "--ratios", *ratios)])


def test_figures_crops_and_sheet(place, capsys):
    assert run(place, "--json", place / "f.json", "--sheet", place / "cut.png") == 0
    out = capsys.readouterr().out
    assert "drawn: 2 photos\n" in out and "1:1, subject, 2 photos" in out and str(place / "cut.png") in out
    found = json.loads((place / "f.json").read_text())
    subject, head = found["figures"]
    assert found["first"] == "ours" and subject["part"] == "subject" and head["photos"] == 1
    assert subject["croppers"]["ours"] == {"whole": 0.5, "share": 0.5, "area": pytest.approx(2 / 3)}
    assert subject["croppers"]["oracle"]["whole"] == 1 and head["croppers"]["oracle"]["whole"] == 1
    assert subject["croppers"]["centre"]["whole"] == 0
    # smartcrop sees the square: it is the only thing in the photo
    assert subject["croppers"]["smartcrop"]["whole"] == 1
    assert subject["croppers"]["smartcrop_largest"]["area"] == pytest.approx(2 / 3)
    right, left = found["photos"]
    assert right["crops"]["ours"]["1:1"] == [40, 0, 120, 80] and left["crops"]["centre"]["1:1"] == [
        20,
        0,
        100,
        80,
    ]
    assert left["crops"]["oracle"]["1:1"] == [0, 0, 80, 80]
    with Image.open(place / "cut.png") as sheet:  # ours cuts one, the middle both: two rows of four crops
        assert sheet.width > 1200 and 600 < sheet.height < 900


def test_a_rejected_photo_counts_as_cut(place, capsys):
    assert run(place, ratios=("1:2",), model=("--checkpoint", "model.pth")) == 1
    said = capsys.readouterr()
    assert "left.png: cannot be" in said.err and "model" in said.out
    row = next(line for line in said.out.splitlines() if line.split()[:1] == ["model"])
    assert row.split()[1] == "0.500"


def test_without_a_model(place, capsys):
    assert run(place, model=("--no-model",)) == 0
    assert "smartcrop ahead" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--photos", "drawn"], "write NAME=FOLDER"),
        (["--photos", "other=."], "no known subject is of 'other', but of drawn"),
        (["--photos", "drawn=."], "drawn is given twice"),
        (["--datasets", "other"], "no photo of 'other'; there are drawn"),
        (["--json", "."], "is a folder"),
        (["--sheet", "cut.txt"], "must end in .png or .jpg"),
        (["--no-model"], "contradict each other"),
        (["--checkpoint", "ours=b.pth"], "two croppers are called 'ours'"),
        (["--checkpoint", "smartcrop=b.pth"], "two croppers are called 'smartcrop'"),
        (["--level", "1"], "--level between 0 and 1"),
    ],
)
def test_what_cannot_be_asked(place, capsys, words, said):
    assert run(place, *words) == 2
    assert said in capsys.readouterr().err


def test_a_ratio_that_is_none(place, capsys):
    assert run(place, ratios=("square",)) == 2
    assert "'square' is no aspect ratio" in capsys.readouterr().err


def test_photos_must_be_those_that_were_looked_at(place, capsys):
    Image.new("RGB", (60, 40)).save(place / "photos" / "left.png")
    assert run(place) == 2
    assert "left.png: is 60 x 40 pixels, and its subject is known in 120 x 80" in capsys.readouterr().err
    (place / "photos" / "left.png").unlink()
    assert run(place) == 2
    assert "left.png: no such photo" in capsys.readouterr().err


def test_photos_without_a_folder_are_left_out(place, capsys):
    line = dict(dataset="else", file="x.png", size=[9, 9], what="dot", subject=[1, 1, 3, 3])
    with open(place / "subjects.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    assert run(place) == 0
    assert "else: 1 photos left out (--photos else=FOLDER)" in capsys.readouterr().out
    assert run(place, "--datasets", "else", model=("--no-model",)) == 2  # drawn is no dataset of these
