"""tools/compare_croppers.py on a small dataset: what its rows crop, its figures, and what is kept between runs."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gallery_photos import write_gallery_photos
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.apis.cropper_comparison.checkpoint_rows import checkpoint_rows
from procrop.evaluation.functional import iou_disp
from procrop.generation.curation.consensus_crops import ConsensusCrops
from procrop.io import sha256_file
from procrop.models.teachers import EvidenceTeacher

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tools"))

import compare_croppers as tool  # noqa: E402

SIZE = (96, 72)
CROPS = [[8, 6, 88, 66], [0, 0, 60, 72]]
FIXED = ["--rows", "full_photo", "centre_90", "--resamples", "50"]


@pytest.fixture
def dataset(tmp_path):
    """Six photos with two crops each, in the generic format."""
    root = tmp_path / "data"
    paths = write_gallery_photos(root / "images", 6)
    crops = [{"box": box} for box in CROPS]
    lines = [{"photo": p.name, "crops": crops, "source_id": f"s{i // 2}"} for i, p in enumerate(paths)]
    (root / "annotations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, gallery):
    references = dict(type="LoadReferences", gallery=str(gallery.folder), table="gone.npz", k=4)
    retrieval = dict(fingerprint=gallery.fingerprint, token_shape=gallery.token_shape)
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), references=references, retrieval=retrieval)


def run(dataset, out, *args):
    return tool.main([str(a) for a in ("--dataset", f"jsonl:{dataset}", "--out", out, *args)])


def lines(out, name):
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]


def test_figures_gains_and_files(dataset, tmp_path, capsys):
    files = [tmp_path / "t.json", tmp_path / "t.md", tmp_path / "sheet.jpg"]
    options = ["--json", files[0], "--markdown", files[1], "--sheet", files[2]]
    rows = ["--rows", "centre_90", "full_photo", "centre_80_area", "--resamples", "50"]
    assert run(dataset, tmp_path / "out", *rows, *options) == 0
    found = json.loads(files[0].read_text())
    figures = {model["name"]: model["figures"] for model in found["models"]}
    sides = {"full_photo": 1.0, "centre_90": 0.9, "centre_80_area": 0.8**0.5}
    for name, side in sides.items():
        box = np.array([[1 - side, 1 - side, 1 + side, 1 + side]]) / 2 * [*SIZE, *SIZE]
        iou, disp = iou_disp(box, np.array(CROPS, float), SIZE, [1])
        assert figures[name]["crop/iou@1"] == pytest.approx(iou[0], abs=1e-4)
        assert figures[name]["crop/disp@3"] == pytest.approx(disp[0], abs=1e-4)
    gain = found["gains"]["full_photo"]
    # a gain in Disp, too, is above 0 where the first row is better; all photos are alike, so its interval is a point
    for key, sign in (("crop/iou@1", 1), ("crop/disp@1", -1)):
        expected = sign * (figures["centre_90"][key] - figures["full_photo"][key])
        assert expected > 0.02
        assert [gain[key][part] for part in ("value", "low", "high")] == pytest.approx([expected] * 3)
    text = capsys.readouterr().out
    assert "6 photos, crop; 0 of 3 rows kept" in text and "centre_90 is ahead by" in text
    assert (
        f"| full_photo | the whole photo | {figures['full_photo']['crop/iou@1']:.4f} |"
        in files[1].read_text()
    )
    assert Image.open(files[2]).height > 6 * 400


def test_a_model_with_its_own_with_no_and_with_random_references(
    dataset, tmp_path, gallery, checkpoint, capsys
):
    out = tmp_path / "out"
    shutil.copy(
        gallery.photo_path(3), dataset / "images" / "p00.png"
    )  # a photo of the gallery, by another name
    options = ["--checkpoint", f"tiny={checkpoint}", "--sheet", tmp_path / "s.html", *FIXED]
    assert run(dataset, out, *options) == 0
    of = {name: lines(out, name) for name in ("tiny", "tiny_no_references", "tiny_random_references")}
    names = {
        kind: [[r["name"] for r in line.get("references", [])] for line in found]
        for kind, found in of.items()
    }
    assert names["tiny_no_references"] == [[]] * 6
    assert all(len(set(each)) == 4 for kind in ("tiny", "tiny_random_references") for each in names[kind])
    assert names["tiny_random_references"] != names["tiny"]
    for kind in ("tiny", "tiny_random_references"):  # 2 and 3 are of one source
        assert not {"p02.png", "p03.png"} & set(names[kind][0])
    # the model's first box has half the first reference's similarity for its score, or 0.9 without
    assert [line["scores"][0] for line in of["tiny_no_references"]] == [0.9] * 6
    assert "tiny is ahead by" in capsys.readouterr().out
    assert (tmp_path / "s.html").read_text().count("<img") >= 6
    before = (out / "tiny_random_references.jsonl").read_bytes()
    assert run(dataset, out, *options, "--fresh") == 0
    assert (out / "tiny_random_references.jsonl").read_bytes() == before
    assert run(dataset, out, *options, "--seed", "1") == 0
    assert (out / "tiny_random_references.jsonl").read_bytes() != before


def test_a_published_file_comes_with_the_gallery_beside_it(published_zoo):
    (file,) = published_zoo.glob("weights/*/*.safetensors")
    (row,) = checkpoint_rows("it", str(file))
    assert row.recipe["gallery"] == sha256_file(file.parent / "gallery" / "manifest.json")


def test_a_teacher_is_told_the_source_that_no_reference_may_be_of(dataset, tmp_path, monkeypatch):
    told = []

    def crops(self, photo, source_id=None):
        told.append(source_id)
        return ConsensusCrops(np.array([[0, 0, 1, 1.0]]), np.ones(1))

    monkeypatch.setattr(EvidenceTeacher, "__call__", crops)
    assert run(dataset, tmp_path / "out", "--rows", "teacher", "--resamples", "50") == 0
    assert told == ["s0", "s0", "s1", "s1", "s2", "s2"]


def test_only_what_changed_is_made_again(dataset, tmp_path, checkpoint, capsys):
    def kept():
        return capsys.readouterr().out.split("; ")[1].split(" rows")[0]

    out = tmp_path / "out"
    options = ["--checkpoint", f"a={checkpoint}", "--no-controls", *FIXED]
    assert run(dataset, out, *options) == 0 and kept() == "0 of 3"
    assert run(dataset, out, *options) == 0 and kept() == "3 of 3"
    (out / "full_photo.jsonl").write_text((out / "full_photo.jsonl").read_text() + "\n")
    assert run(dataset, out, *options) == 0 and kept() == "2 of 3"
    other = write_checkpoint(tmp_path, scale=0.5)
    options[1] = f"a={other}"
    assert run(dataset, out, *options) == 0 and kept() == "2 of 3"
    shutil.copy(dataset / "images/p01.png", dataset / "images/p02.png")
    assert run(dataset, out, *options) == 0 and kept() == "0 of 3"


def test_rows_without_training(dataset, tmp_path):
    out, size = tmp_path / "out", np.array([240, 180])
    for path in (dataset / "images").iterdir():  # smartcrop looks at no more than its target has pixels
        Image.open(path).resize(size).save(path)
    assert run(dataset, out, "--rows", "smartcrop", "rules", "--resamples", "0") == 0
    smart, rules = lines(out, "smartcrop"), lines(out, "rules")
    for line in smart + rules:
        boxes = np.array(line["boxes"])
        assert 2 <= len(boxes) <= 3 and (np.diff(line["scores"]) <= 0).all()
        assert len(np.unique(boxes, axis=0)) == len(boxes)
        assert (boxes >= 0).all() and (boxes <= [*size, *size]).all() and (boxes[:, 2:] > boxes[:, :2]).all()
    shapes = np.array([line["boxes"][0] for line in smart])
    width, height = (shapes[:, 2:] - shapes[:, :2]).T
    assert (np.abs(width / height - 4 / 3) < 0.05).all() and (width >= 0.88 * 240).all()


def test_constant_crops_are_those_of_the_training_set(dataset, tmp_path):
    spec = f"mine=jsonl:{dataset}"
    assert run(dataset, tmp_path / "out", "--rows", "--fit-constant", spec, "--resamples", "0") == 0
    for figure in ("iou", "disp"):
        (line, *_) = lines(tmp_path / "out", f"constant_mine_{figure}")
        iou, disp = iou_disp(np.array(line["boxes"]), np.array(CROPS, float), SIZE, [1])
        assert iou[0] > 0.99 and disp[0] < 0.003  # it fits one of the two


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows"], "nothing to compare"),
        (["--protocol", "acc"], "compared by IoU and Disp"),
        (["--protocol", "crop_best"], "has no scores"),
        (["--teacher", "two=[1]"], "write NAME="),
        (["--teacher", 'two={"sizes": [1]}'], "--teacher two: .*sizes"),
        (["--teacher", 'a/b={"count": 3}'], "'a/b' cannot be a row's name"),
        (["--teacher", 'teacher={"count": 3}'], "two rows are called 'teacher'"),
        (
            ["--sheet", "s.png", "--sheet-rows", "mine"],
            "--sheet-rows mine: no such row; there are full_photo",
        ),
    ],
)
def test_refused_words(dataset, tmp_path, capsys, words, message):
    rows = (
        []
        if words[0] == "--rows"
        else ["--rows", "full_photo", *(["teacher"] if "teacher=" in words[1] else [])]
    )
    assert run(dataset, tmp_path / "out", *words, *rows) == 2
    assert re.search(message, capsys.readouterr().err)


def test_photos_that_are_not_there(dataset, tmp_path, capsys):
    (dataset / "images/p01.png").unlink()
    assert run(dataset, tmp_path / "out", *FIXED) == 2
    assert "1 of 6 photos are not there" in capsys.readouterr().err
    assert run(dataset, tmp_path / "out", *FIXED, "--present") == 0
    assert "5 photos, 1 not on the disk left out" in capsys.readouterr().out


def test_a_photo_that_cannot_be_read_is_a_miss_and_is_named(dataset, tmp_path, capsys):
    name = dataset / "images/p01.png"
    name.write_bytes(name.read_bytes()[:600])
    assert run(dataset, tmp_path / "out", "--rows", "rules", "full_photo", "--resamples", "0") == 1
    assert "rules: p01: " in capsys.readouterr().err and len(lines(tmp_path / "out", "rules")) == 5
    assert run(dataset, tmp_path / "out", "--rows", "rules", "--resamples", "0") == 1  # said again
    assert "rules: p01: " in capsys.readouterr().err


def test_help_is_light():
    code = "import sys; import compare_croppers as t\ntry: t.main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([m for m in ('torch', 'numpy', 'mmengine') if m in sys.modules], file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]" and "--fit-constant" in done.stdout
