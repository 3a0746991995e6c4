"""From a checkpoint of the real model, random weights, to crops."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.apis.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(3)
    for name, (width, height) in {
        "wide": (300, 200),
        "tall": (150, 260),
        "strip": (640, 40),
        "dot": (1, 1),
    }.items():
        coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "photos"


def test_procrop_with_references(tmp_path, photos, gallery, untrained):
    checkpoint = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path / "model.pth")
    (photos / "own.png").write_bytes(gallery.photo_path(3).read_bytes())
    out = tmp_path / "out"
    words = ["crop", str(photos), "--checkpoint", str(checkpoint), "--gallery", str(gallery.folder)]
    assert main([*words, "--out", str(out), "--top-k", "5", "--device", "cpu"]) == 0
    lines = {Path(line["path"]).stem: line for line in map(json.loads, (out / "crops.jsonl").open())}
    assert set(lines) == {"wide", "tall", "strip", "dot", "own"}
    for line in lines.values():
        width, height = line["size"]
        boxes = np.array([crop["box"] for crop in line["crops"]])
        scores = [crop["score"] for crop in line["crops"]]
        assert boxes.shape == (5, 4) and scores == sorted(scores, reverse=True)
        assert (boxes >= 0).all() and (boxes <= [width, height] * 2).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert len(line["references"]) == 6
    assert lines["wide"]["size"] == [300, 200] and lines["tall"]["size"] == [150, 260]
    assert not {ref["name"] for ref in lines["own"]["references"]} & {"p02.png", "p03.png"}
    assert len(list((out / "crops").iterdir())) == 25


def test_a_gallery_of_a_photographers_folder_is_made_as_the_message_says(
    tmp_path, photos, gallery, untrained, capsys
):
    """All it takes is the checkpoint: no config file, no script of the sources."""
    checkpoint = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path / "model.pth")
    words = ["crop", str(photos), "--checkpoint", str(checkpoint), "--device", "cpu", "--no-sheet"]
    assert main([*words, "--out", str(tmp_path / "out"), "--gallery", str(photos)]) == 2
    message = capsys.readouterr().err.strip()
    command = shlex.split(message.partition("make the right one: ")[2])
    assert command[0] == "procrop" and main(command[1:]) == 0
    assert main([*words, "--out", str(tmp_path / "out"), "--gallery", f"{photos}_gallery"]) == 0
    line = json.loads((tmp_path / "out" / "crops.jsonl").read_text().splitlines()[0])
    assert len(line["references"]) == 3  # the four photos, but for the photo itself


def test_the_command_with_ratios_chosen_references_and_explanations(tmp_path, photos, gallery, untrained):
    checkpoint = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path / "model.pth")
    out = tmp_path / "out"
    words = ["crop", str(photos), "--out", str(out), "--checkpoint", str(checkpoint), "--device", "cpu"]
    words += ["--gallery", str(gallery.folder), "--top-k", "2", "--ratio", "1:1", "4:5", "--explain"]
    words += ["--pin", "p07.png", "--ban", "p01.png"]
    assert main(words) in (0, 1)
    lines = [json.loads(line) for line in (out / "crops.jsonl").open()]
    assert len(lines) == 2 * 4 and [line["ratio"] for line in lines] == ["1:1", "4:5"] * 4
    cropped = [line for line in lines if "rejected" not in line]
    assert {line["name"] for line in cropped} >= {"wide.png", "tall.png"}
    for line in cropped:
        names = [reference["name"] for reference in line["references"]]
        assert names[0] == "p07.png" and "p01.png" not in names
        attention = line["attention"]
        for rank, crop in enumerate(line["crops"]):
            shares = [
                *attention["references"][rank],
                *(attention[part][rank] for part in ("photo", "text", "null")),
            ]
            assert None in shares or abs(sum(shares) - 1) < 1e-4
            width, height = crop["file_size"]
            assert line["ratio"] == "4:5" or width == height
            assert line["ratio"] == "1:1" or abs(width - 0.8 * height) <= 0.5
        assert (out / line["pictures"]["explained"]).is_file()
    assert (out / "explained.html").read_text().count("<article") == 8


def test_the_references_reach_the_model(tmp_path, photos, gallery, untrained):
    from procrop.inference import CropInferencer

    checkpoint = untrained(ROOT / "configs/procrop_toy.py", gallery, tmp_path / "model.pth")
    few = CropInferencer(checkpoint, gallery=gallery.folder, k=1, device="cpu")
    many = CropInferencer(checkpoint, gallery=gallery.folder, k=6, device="cpu")
    (first,), (second,) = few(photos / "wide.png", 24), many(photos / "wide.png", 24)
    assert len(first.references) == 1 and len(second.references) == 6
    assert np.abs(np.sort(first.scores) - np.sort(second.scores)).max() > 1e-5


def test_the_baseline_needs_no_gallery(tmp_path, photos, untrained):
    from procrop.inference import CropInferencer

    checkpoint = untrained(ROOT / "configs/baselines/cdetr_toy.py", None, tmp_path / "model.pth")
    (result,) = CropInferencer(checkpoint, device="cpu")(photos / "tall.png", top_k=24)
    assert result.boxes.shape == (24, 4) and result.references == []
