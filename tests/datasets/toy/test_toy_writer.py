"""Toy data sets on disk."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.datasets.toy.settings import ToyDatasetError, ToySettings
from procrop.datasets.toy.writer import read_scenes, write_toy_dataset

TOOL = Path(__file__).parents[3] / "tools" / "make_toy_dataset.py"
PLAIN = ToySettings(seed=3, size=(192, 144), images=10, splits=(0.5, 0.2, 0.3), gallery=4)
STYLED = ToySettings(
    size=(192, 144),
    hidden_style=True,
    families=4,
    val_families=2,
    test_families=2,
    photos_per_family=2,
    gallery_per_family=3,
)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("toy") / "plain"
    assert write_toy_dataset(out, PLAIN) == 14
    return out


@pytest.fixture(scope="module")
def styled(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("toy") / "styled"
    assert write_toy_dataset(out, STYLED) == 8 * 2 + 8 * 3
    return out


def test_layout_and_counts(plain):
    names = Counter(str(Path(name).parent) for name in digests(plain))
    counts = {"train": 5, "val": 2, "test": 3}
    expected = {f"{kind}/{split}": n for kind in ("images", "annotations") for split, n in counts.items()}
    assert names == expected | {"gallery": 4, ".": 3}
    for split in counts:
        stems = [{p.stem for p in (plain / kind / split).iterdir()} for kind in ("images", "annotations")]
        assert stems[0] == stems[1]


def test_annotations_are_all_grid_crops_in_file_order(plain):
    corners = np.arange(12) + 0.5
    expected = [
        (corners[y1] * 12, corners[x1] * 16, corners[y2] * 12, corners[x2] * 16)
        for y1 in range(4)
        for x1 in range(4)
        for y2 in range(8, 12)
        for x2 in range(8, 12)
        if (y2 - y1) * (x2 - x1) >= 72 and 0.5 < (x2 - x1) * 16 / ((y2 - y1) * 12) < 2
    ]
    assert len(expected) == 87
    for path in (plain / "annotations").rglob("*.txt"):
        rows = np.array([line.split() for line in path.read_text().splitlines()], float)
        np.testing.assert_array_equal(rows[:, :4], expected)
        assert rows[:, 4].min() >= 1 and rows[:, 4].max() <= 5 and rows[:, 4].max() >= 4
        assert all(len(line.split()[4].split(".")[1]) == 2 for line in path.read_text().splitlines())


def test_photos_have_the_size_that_the_scenes_say(plain, styled):
    for root in (plain, styled):
        for record in read_scenes(root):
            folder = "gallery" if record["split"] == "gallery" else f"images/{record['split']}"
            with Image.open(root / folder / f"{record['id']}.jpg") as photo:
                assert photo.format == "JPEG" and photo.mode == "RGB" and list(photo.size) == record["size"]
            if record["split"] != "gallery":
                assert record["size"] == [192, 144]


def test_scenes_list_every_photo_once(plain, styled):
    for root in (plain, styled):
        listed = Counter(record["id"] for record in read_scenes(root))
        assert listed == Counter(path.stem for path in root.rglob("*.jpg"))
    keys = {"id", "split", "size", "subject", "family", "style"}
    for record in read_scenes(styled):
        extra = set() if record["split"] == "gallery" else {"best", "best_opposite", "blind", "blind_iou"}
        assert set(record) == keys | extra


def test_same_seed_same_bytes_whatever_the_workers(plain, tmp_path):
    write_toy_dataset(tmp_path / "again", PLAIN)
    assert digests(tmp_path / "again") == digests(plain)
    other = ToySettings(**{**vars(PLAIN), "seed": 4})
    write_toy_dataset(tmp_path / "other", other)
    ours, theirs = digests(plain), digests(tmp_path / "other")
    assert all(ours[name] != theirs[name] for name in ours if name.endswith(".jpg"))
    many = ToySettings(size=(96, 96), images=34, gallery=0)
    write_toy_dataset(tmp_path / "one", many, workers=1)
    write_toy_dataset(tmp_path / "two", many, workers=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_interrupted_work_is_finished_and_finished_work_is_reused(plain, tmp_path):
    write_toy_dataset(tmp_path / "a", PLAIN)
    kept = tmp_path / "a" / "images" / "train" / "toy_00000.jpg"
    before = kept.stat().st_mtime_ns
    (tmp_path / "a" / "images" / "test" / "toy_00008.jpg").unlink()
    (tmp_path / "a" / "gallery" / "pro_00001.jpg").unlink()
    (tmp_path / "a" / "scenes.jsonl").unlink()
    assert write_toy_dataset(tmp_path / "a", PLAIN) == 2
    assert digests(tmp_path / "a") == digests(plain)
    assert kept.stat().st_mtime_ns == before
    assert write_toy_dataset(tmp_path / "a", PLAIN) == 0


def test_foreign_folder_is_refused(plain, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ToyDatasetError, match="not empty"):
        write_toy_dataset(tmp_path, PLAIN)
    with pytest.raises(ToyDatasetError, match=r"seed 3 \(asked for 5\)"):
        write_toy_dataset(plain, ToySettings(**{**vars(PLAIN), "seed": 5}))
    with pytest.raises(ToyDatasetError, match="not a folder"):
        write_toy_dataset(tmp_path / "note.txt", PLAIN)
    with pytest.raises(ToyDatasetError, match="scenes.jsonl is missing"):
        read_scenes(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"size": (10, 10)}, {"splits": (0.5, 0.5, 0.5)}, {"images": -1}, {"photos_per_family": 0}]
)
def test_settings_that_make_no_data_set_are_errors(wrong):
    with pytest.raises(ToyDatasetError, match=next(iter(wrong))):
        ToySettings(**wrong)


def test_readme_states_rule_seed_and_ceiling(plain, styled):
    assert (
        "seed 3" in (plain / "README.md").read_text() and "thirds 0.30" in (plain / "README.md").read_text()
    )
    text = (styled / "README.md").read_text()
    photos = [r for r in read_scenes(styled) if r["split"] == "test"]
    assert f"{np.mean([r['blind_iou'] for r in photos]):.3f} on test" in text


@pytest.fixture()
def tool():
    """The command-line tool as a module: a process of its own would import everything again."""
    spec = importlib.util.spec_from_file_location("make_toy_dataset", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tool_passes_its_arguments_on(tool, tmp_path, capsys):
    out = tmp_path / "data"
    command = [str(out), "--images", "3", "--gallery", "1", "--size", "96x96", "--workers", "1", "--seed"]
    tool.main([*command, "8"])
    assert "4 photos (4 painted now" in capsys.readouterr().out
    settings = json.loads((out / "toy.json").read_text())["settings"]
    assert settings["seed"] == 8 and settings["size"] == [96, 96] and settings["images"] == 3
    with pytest.raises(SystemExit) as stop:
        tool.main([*command, "9"])
    assert stop.value.code == 2 and "another toy data set" in capsys.readouterr().err


NO_FAMILY = ["--hidden-style", "--families", "0", "--val-families", "0", "--test-families", "0"]


@pytest.mark.parametrize("wrong", [["--images", "0"], NO_FAMILY], ids=["images", "families"])
def test_tool_refuses_a_set_of_gallery_photos_alone(tool, tmp_path, capsys, wrong):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(tmp_path / "data"), *wrong])
    assert stop.value.code == 2 and "raise" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_tool_tells_a_full_disk_from_wrong_usage(tool, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("procrop.datasets.toy.writer.write_text", full)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(tmp_path / "data"), "--images", "1", "--gallery", "0"])
    assert stop.value.code == 1 and "No space left" in capsys.readouterr().err


def test_tool_refuses_options_of_the_other_mode(tool, tmp_path):
    assert tool.parse_args([str(tmp_path), "--hidden-style", "--families", "4"]).families == 4
    assert tool.parse_args([str(tmp_path), "--two-subjects", "--images", "4"]).images == 4
    for wrong in (
        ["--hidden-style", "--images", "4"],
        ["--families", "4"],
        ["--size", "large"],
        ["--two-subjects", "--gallery", "4"],
        ["--two-subjects", "--families", "4"],
        ["--two-subjects", "--hidden-style"],
    ):
        with pytest.raises(SystemExit) as stop:
            tool.parse_args([str(tmp_path), *wrong])
        assert stop.value.code == 2


def test_tool_imports_nothing_heavy_for_help():
    code = (
        f"import runpy, sys; sys.argv = ['x', '--help']; runpy.run_path({str(TOOL)!r}, run_name='__main__')"
    )
    check = f"import sys, atexit; atexit.register(lambda: print('heavy', 'numpy' in sys.modules)); {code}"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert "--hidden-style" in run.stdout and run.stdout.endswith("heavy False\n")


def test_another_data_set_is_replaced_only_on_request(tmp_path):
    out = tmp_path / "toy"
    write_toy_dataset(out, PLAIN)
    (out / "gallery_index").mkdir()
    (out / "gallery_index" / "manifest.json").write_text("{}")
    other = ToySettings(seed=4, size=(192, 144), images=4, splits=(0.5, 0.25, 0.25), gallery=2)
    with pytest.raises(ToyDatasetError, match="--replace"):
        write_toy_dataset(out, other)
    write_toy_dataset(out, other, replace=True)
    write_toy_dataset(tmp_path / "fresh", other)
    found = digests(out)
    assert found.pop("gallery_index/manifest.json")
    assert found == digests(tmp_path / "fresh")
    assert write_toy_dataset(out, other, replace=True) == 0
