"""What the study of captions asks the tools to do, and what it reports of their predictions."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.apis.mechanism import captions
from procrop.apis.mechanism.captions import ROWS, TWIN, CaptionStudy, is_met, report
from procrop.datasets.toy import ToySettings, write_toy_dataset
from procrop.structures.boxes import box_iou

TOOL = Path(__file__).parents[2] / "tools" / "text_mechanism.py"


def make_study(out: Path, **changes) -> CaptionStudy:
    args = dict(out=out, images=4, test_images=8, epochs=2, jobs=1, twin=True) | changes
    return CaptionStudy(argparse.Namespace(**args), seed=3)


@pytest.fixture()
def tested(tmp_path):
    """A study whose models crop: what the captions say; without any, the best crop of the left subject."""
    study = make_study(tmp_path)
    write_toy_dataset(
        study.data,
        ToySettings(seed=3, size=(128, 96), images=18, splits=(4 / 18, 6 / 18, 8 / 18), two_subjects=True),
    )
    for name in ROWS | TWIN:
        # a photo a line, in another order than scenes.jsonl has
        lines = []
        for scene in reversed(study.test_scenes()):
            best, other = scene["best"], scene["best_other"]
            left = best if scene["side"] == "left" else other
            box = {"right captions": best, "swapped captions": other}.get(name, left)
            lines.append({"img_id": scene["id"], "boxes": [box, [0, 0, 128, 96]], "scores": [0.9, 0.1]})
        study.predictions(name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return study


def test_figures_tell_the_two_subjects_apart(tested):
    figures, scenes = tested.figures(), tested.test_scenes()
    between = [
        box_iou(np.array([s["best"]], float), np.array([s["best_other"]], float))[0, 0] for s in scenes
    ]
    left = np.array([s["side"] == "left" for s in scenes])
    assert figures["photos"] == 8 and 0 < left.sum() < 8
    assert figures["right captions"] == pytest.approx(dict(iou=1, iou_other=np.mean(between), nearer_other=0))
    assert figures["swapped captions"] == pytest.approx(
        dict(iou=np.mean(between), iou_other=1, nearer_other=1)
    )
    assert figures["model without text"]["iou"] == pytest.approx(np.where(left, 1, between).mean())
    assert figures["model without text"]["nearer_other"] == pytest.approx(1 - left.mean())
    assert figures["blind ceiling"]["iou"] == pytest.approx(np.mean([s["blind_iou"] for s in scenes]))
    change = figures["difference"]
    assert change["value"] == pytest.approx(1 - np.mean(between))
    assert change["low"] < change["value"] < change["high"] and is_met(figures)


def test_a_photo_without_prediction_is_not_passed_over(tested):
    file = tested.predictions("right captions")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(AssertionError, match="right captions"):
        tested.figures()


def test_report_has_every_seed_and_says_what_was_missed(tested):
    good = tested.figures()
    bad = good | dict(difference=dict(value=0.149, low=0.1, high=0.2, p=0.001))
    text = report({0: good, 5: bad})
    assert "| seed 5 | 0.149 | 0.100 to 0.200 | missed |" in text and text.count("| met |") == 1
    assert "| IoU of the top-1 crop, 8 unseen photos | seed 0 | seed 5 | mean |" in text
    assert "| right captions | 1.000 | 1.000 | 1.000 |" in text
    assert all(f"| {name} |" in text for name in ("blind ceiling", *ROWS, *TWIN))
    without = {name: values for name, values in good.items() if name not in TWIN}
    assert "model without text" not in report({0: without, 1: good})


def test_sheet_shows_photo_and_both_crops(tested, tmp_path):
    tested.draw_sheet(tmp_path / "sheet.png", rows=3)
    with Image.open(tmp_path / "sheet.png") as three:
        assert three.width >= 900
    tested.draw_sheet(tmp_path / "one.png", rows=1)
    with Image.open(tmp_path / "one.png") as one:
        row = (three.height - one.height) / 2
        assert row > 400 and one.height == pytest.approx(row + 92)


def test_models_are_trained_on_the_right_captions_and_tested_on_others(tmp_path, monkeypatch):
    study, calls = make_study(tmp_path), []

    def call(_, tool, *args):
        calls.append([tool, *map(str, args)])
        if tool == "train.py":
            Path(args[2]).mkdir()
            (Path(args[2]) / "last_checkpoint").write_text("epoch_2.pth\n")

    monkeypatch.setattr(CaptionStudy, "call", call)
    monkeypatch.setattr(CaptionStudy, "figures", lambda _: {"done": True})
    assert study.run() == {"done": True}
    assert [call[0] for call in calls] == [
        "make_toy_dataset.py",
        *["text.py"] * 2,
        *["train.py"] * 2,
        *["test.py"] * 4,
    ]
    assert str(study.data / "captions_swapped.jsonl") in calls[2] and "--two-subjects" in calls[0]
    right, swapped = (str(study.data / f"text_captions{end}") for end in ("", "_swapped"))
    text, blind, on_right, on_swapped, on_none, on_blind = calls[3:]
    assert (
        text[1] == "configs/mechanism/two_subjects.py"
        and blind[1] == "configs/mechanism/two_subjects_blind.py"
    )
    folder = "test_dataloader.dataset.text.folder"
    assert f"train_dataloader.dataset.text.folder={right}" in text and f"{folder}={right}" in on_right
    assert f"{folder}={swapped}" in on_swapped and "test_dataloader.dataset.text=None" in on_none
    assert not any("dataset.text" in option for option in (*blind, *on_blind))
    assert "train_cfg.max_epochs=2" in text and "train_cfg.max_epochs=2" in blind
    calls.clear()
    study.run()  # trained models are kept
    assert "train.py" not in [call[0] for call in calls]


def test_results_of_other_settings_are_refused(tmp_path):
    make_study(tmp_path)
    make_study(tmp_path)
    with pytest.raises(SystemExit, match="other arguments"):
        make_study(tmp_path, images=5)


def test_every_target_is_what_the_docs_say():
    assert captions.WANTED == 0.15
    assert not is_met(dict(difference=dict(value=0.1499)))
    assert is_met(dict(difference=dict(value=0.15)))


def test_help_imports_nothing_heavy():
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']; runpy.run_path({str(TOOL)!r}, run_name='__main__')"
    )
    check = f"import sys, atexit; atexit.register(lambda: print('heavy', 'numpy' in sys.modules)); {code}"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert "--test-images" in run.stdout and run.stdout.endswith("heavy False\n")
