"""The bookkeeping of tools/quickstart.py, with small commands in place of the real steps."""

import importlib.util
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def quickstart(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("quickstart", ROOT / "tools" / "quickstart.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "a.py").write_text("x = 1")
    return module


def _step(quickstart, name, code=None, resume=()):
    """A step that adds its arguments as a line to the file ``<name>``."""
    code = code or f"import sys; open({name!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')"
    return quickstart.Step(name, name, ("-c", code), name, resume)


def _run(quickstart, steps):
    quickstart.run_steps(steps, Path("out/steps.json"), Path("train"), time.monotonic())


def _runs(name):
    return Path(name).read_text().splitlines() if Path(name).exists() else []


def test_finished_steps_are_not_repeated(quickstart, capfd):
    steps = [_step(quickstart, "one"), _step(quickstart, "two")]
    _run(quickstart, steps)
    _run(quickstart, steps)
    assert len(_runs("one")) == len(_runs("two")) == 1
    output = capfd.readouterr().out
    assert "[1/2] one" in output and "$ python -c" in output and "[2/2] two: done before" in output


def test_a_changed_step_is_repeated_with_all_after_it(quickstart):
    _run(quickstart, [_step(quickstart, name) for name in ("one", "two", "three")])
    changed = quickstart.Step("two", "two", (*_step(quickstart, "two").command, "other"), "two")
    _run(quickstart, [_step(quickstart, "one"), changed, _step(quickstart, "three")])
    assert [len(_runs(name)) for name in ("one", "two", "three")] == [1, 2, 2]


def test_an_edited_config_and_a_lost_result_repeat_steps(quickstart):
    steps = [_step(quickstart, "one"), _step(quickstart, "two")]
    _run(quickstart, steps)
    Path("two").unlink()
    _run(quickstart, steps)
    assert [len(_runs(name)) for name in ("one", "two")] == [1, 1]
    Path("configs/a.py").write_text("x = 2")
    _run(quickstart, steps)
    assert [len(_runs(name)) for name in ("one", "two")] == [2, 2]


def test_a_failed_step_stops_the_run_and_is_resumed(quickstart, capfd):
    code = (
        "import os, sys; open('two', 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if not os.path.exists('mended'): sys.exit('the disk is full')"
    )
    steps = [
        _step(quickstart, "one"),
        _step(quickstart, "two", code, ("--resume",)),
        _step(quickstart, "three"),
    ]
    with pytest.raises(quickstart.StepError, match="exit code 1"):
        _run(quickstart, steps)
    assert "the disk is full" in capfd.readouterr().err
    assert [len(_runs(name)) for name in ("one", "two", "three")] == [1, 1, 0]
    Path("mended").touch()
    _run(quickstart, steps)
    assert _runs("two") == ["", "--resume"] and len(_runs("one")) == len(_runs("three")) == 1


def test_the_best_checkpoint_is_taken_else_the_last(quickstart):
    train = Path("train")
    train.mkdir()
    (train / "last_checkpoint").write_text("/moved/since/epoch_3.pth")
    step = quickstart.Step(
        "crop", "crop", ("-c", "import sys; open('crop', 'w').write(sys.argv[1])", "CHECKPOINT"), "crop"
    )
    _run(quickstart, [step])
    assert Path("crop").read_text() == "train/epoch_3.pth"
    (train / "best_crop_iou@1_epoch_2.pth").touch()
    Path("crop").unlink()
    _run(quickstart, [step])
    assert Path("crop").read_text() == "train/best_crop_iou@1_epoch_2.pth"


def test_the_real_steps_are_commands_that_exist(quickstart):
    steps = quickstart.plan("work_dirs/quickstart", 10, 1)
    assert [step.name for step in steps] == [
        "data",
        "gallery",
        "neighbours",
        "train",
        "test",
        "photos",
        "toy_crop",
        "crop",
    ]
    for step in steps:
        assert (ROOT / step.command[0]).is_file()
        assert all((ROOT / word).is_file() for word in step.command if word.startswith("configs/"))


def test_real_photos_come_out_of_the_installed_packages(quickstart, tmp_path):
    assert quickstart.export_photos(tmp_path / "photos") == 0
    names = {path.name for path in (tmp_path / "photos").iterdir()}
    assert {"astronaut.png", "coffee.png", "china.jpg", "flower.jpg"} <= names and len(names) >= 6


def test_the_figures_stand_beside_their_floors(quickstart, tmp_path, capsys):
    (tmp_path / "test").mkdir()
    metrics = (
        '{"crop_best/iou@1": 0.8, "crop_best/random_iou@1": 0.5, "crop_best/full_photo_iou": 0.25, '
        '"acc/acc_1/5@0.85": null}'
    )
    (tmp_path / "test" / "test_metrics.json").write_text(metrics)
    quickstart.print_results(tmp_path, 75)
    output = capsys.readouterr().out
    line = next(line for line in output.splitlines() if "crop_best/iou@1" in line)
    assert line.split()[:4] == ["crop_best/iou@1", "0.800", "0.500", "0.250"]
    assert "1 min 15 s" in output and str(tmp_path / "sheet.png") in output
