"""`procrop datasets convert`: between all formats, what is said to be lost, and that nothing is half written."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from procrop.apis.cli import main
from procrop.datasets import conversion
from procrop.datasets.formats import FORMATS, get_format
from procrop.datasets.formats.spec import parse_spec

BOXES = [[0, 0, 90, 60], [10, 10, 110, 70], [20, 0, 120, 80]]


def convert(*arguments):
    return main(["datasets", "convert", *map(str, arguments)])


@pytest.fixture
def source(tmp_path):
    """Three photos with three scored crops each, the second with a person, in HCIC's layout."""
    root = tmp_path / "source"
    (root / "images").mkdir(parents=True)
    crops = {}
    for i in (1, 2, 3):
        Image.new("RGB", (120, 80), (40 * i, 90, 120)).save(root / "images" / f"{i}.jpg")
        crops[f"{i}.jpg"] = {"bbox": BOXES, "score": [i, 2.5, 4]}
    (root / "image_crop.json").write_text(json.dumps(crops))
    (root / "human_bboxes.json").write_text(json.dumps({"2.jpg": [30, 20, 60, 75]}))
    return root


def specs(name, root):
    """The spec of a format below ``root``; a set with splits is written as its test split."""
    splits = get_format(name).splits
    return f"{name}:{root}" + (":test" if "test" in splits else "")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_takes_it_with_its_photos(source, tmp_path, capsys, name):
    target = specs(name, tmp_path / "out")
    assert convert(f"hcic:{source}", target, "--photos", "copy") == 0
    out = capsys.readouterr().out
    again = parse_spec(target).read()
    # two formats name a record <photo>_<number>
    assert [record.img_id.removesuffix("_0") for record in again.records] == ["1", "2", "3"]
    assert again.missing_photos() == []
    for i, record in enumerate(again.records, start=1):
        photo = again.photo_path(record)
        assert photo.read_bytes() == (source / "images" / f"{i}.jpg").read_bytes()
        kept = len(record.boxes)
        if kept == 3:
            order = np.argsort([-i, -2.5, -4]) if name == "sacd" else [0, 1, 2]  # the best crop comes first
            np.testing.assert_allclose(record.boxes, np.array(BOXES)[order], atol=1e-6)
        assert (kept < 3) == ("some of its crops" in out)
    with_scores = again.records[0].scores is not None
    assert ("lost: scores" in out) != with_scores
    with_subject = again.records[1].subject is not None
    assert ("lost: the subject's box, of 1 records, e.g. 2" in out) != with_subject
    assert "-> " + target in out and sorted(os.listdir(tmp_path)) == ["out", "source"]
    # and back
    assert convert(target, f"hcic:{tmp_path / 'back'}:test", "--photos", "link") == 0
    back = parse_spec(f"hcic:{tmp_path / 'back'}:test").read()
    assert [record.img_id.removesuffix("_0") for record in back.records] == [
        "1",
        "2",
        "3",
    ] and back.missing_photos() == []


def test_nothing_is_replaced_unasked(source, tmp_path, capsys):
    target = f"flms:{tmp_path / 'out'}"
    assert convert(f"hcic:{source}", target, "--photos", "copy") == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (tmp_path / "out" / "mine.txt").write_text("kept")
    capsys.readouterr()
    assert convert(f"hcic:{source}", target, "--photos", "copy") == 2
    assert "3 more files would be replaced" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert convert(f"hcic:{source}", target, "--photos", "copy", "--replace") == 0
    assert {path: path.read_bytes() for path in before}.keys() == before.keys()
    assert (tmp_path / "out" / "mine.txt").read_text() == "kept"


def test_an_interrupted_conversion_leaves_nothing(source, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(conversion.shutil, "copyfile", stop)
    assert convert(f"hcic:{source}", f"flms:{tmp_path / 'out'}", "--photos", "copy") == 130
    assert os.listdir(tmp_path) == ["source"]


def test_links_need_no_room_and_say_when_they_cannot_be(source, tmp_path, monkeypatch, capsys):
    assert convert(f"hcic:{source}", f"flms:{tmp_path / 'out'}", "--photos", "link") == 0
    assert (tmp_path / "out" / "image" / "1.jpg").stat().st_nlink == 2

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(conversion.os, "link", refuse)
    assert convert(f"hcic:{source}", f"flms:{tmp_path / 'o2'}", "--photos", "link") == 2
    assert "use --photos copy" in capsys.readouterr().err and not (tmp_path / "o2").exists()


def test_what_is_left_out_and_what_is_missing_is_said(source, tmp_path, capsys):
    crops = json.loads((source / "image_crop.json").read_text())
    crops["3.jpg"] = [[0, 0, 9, 9]]
    crops["4.jpg"] = [[0, 0, 0, 0]]
    (source / "image_crop.json").write_text(json.dumps(crops))
    (source / "images" / "1.jpg").unlink()
    assert convert(f"hcic:{source}", f"icdb:{tmp_path / 'out'}", "--photos", "copy") == 1
    said = capsys.readouterr()
    assert "crop without area" in said.err and "left out: 1 records, e.g. 3" in said.out
    assert "because: ICDB needs three crops a photo; the photo is left out (1)" in said.out
    (source / "images" / "1.jpg").symlink_to("/etc/hostname")
    assert convert(f"hcic:{source}", f"icdb:{tmp_path / 'o3'}", "--photos", "copy") == 1
    assert not (tmp_path / "o3" / "All_Images" / "1.jpg").exists()
    assert "missing: 1 photos or masks" in said.out and "1 photos and masks copied" in said.out
    assert convert(f"hcic:{source}", f"icdb:{tmp_path / 'o2'}", "--strict") == 2
    assert "crop without area" in capsys.readouterr().err


def test_without_a_loss_it_says_so(source, tmp_path, capsys):
    assert convert(f"hcic:{source}", f"hcic:{tmp_path / 'out'}") == 0
    out = capsys.readouterr().out
    assert "nothing was lost" in out and "no photos" in out
    assert not (tmp_path / "out" / "images" / "1.jpg").exists()


def test_splits_that_have_no_place_are_lost_and_others_are_kept(source, tmp_path, capsys):
    (source / "data_split.json").write_text(json.dumps({"train": ["1.jpg", "3.jpg"], "test": ["2.jpg"]}))
    assert convert(f"hcic:{source}", f"gaicv2:{tmp_path / 'out'}") == 0
    assert "the split" not in capsys.readouterr().out
    train = parse_spec(f"gaicv2:{tmp_path / 'out'}:train").read()
    assert [record.img_id for record in train.records] == ["1", "3"]
    assert convert(f"hcic:{source}", f"flms:{tmp_path / 'flat'}") == 0
    out = capsys.readouterr().out
    assert "lost: the split, of 3 records" in out and "  because: FLMS has no splits (3)" in out
    assert convert(f"hcic:{source}", f"cpc:{tmp_path / 'cpc'}") == 0
    out = capsys.readouterr().out
    assert "lost: the split, of 1 records, e.g. 2\n" in out
    assert "  because: CPC has the splits train and val alone (1)" in out
    assert convert(f"hcic:{source}:train", f"gaicv2:{tmp_path / 'val'}:val") == 0
    assert "the split" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "target, reason",
    [
        ("flms:{source}", "holds the dataset"),
        ("flms:{source}/image_crop.json", "not a folder"),
        ("icdb:{tmp}/out:photographer1", "cannot be written as 'photographer1'"),
        ("flms:{tmp}/out:test", "has no split 'test'"),
    ],
)
def test_targets_that_make_no_sense(source, tmp_path, capsys, target, reason):
    assert convert(f"hcic:{source}", target.format(source=source, tmp=tmp_path)) == 2
    assert reason in capsys.readouterr().err and sorted(os.listdir(tmp_path)) == ["source"]


def test_nothing_that_fits(source, tmp_path, capsys):
    (source / "image_crop.json").write_text(json.dumps({"1.jpg": [[0, 0, 9, 9]]}))
    assert convert(f"hcic:{source}", f"icdb:{tmp_path / 'out'}") == 2
    assert "nothing of this dataset can be written as ICDB: 1 x ICDB needs three" in capsys.readouterr().err
