"""The command around a cropper that is a stand-in."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in
from PIL import Image

from procrop.apis.cli import main
from procrop.apis.crop_jobs import plan_jobs
from procrop.inference import CropResult

ROOT = Path(__file__).resolve().parents[2]


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
    assert [crop["file"] for crop in first["crops"]] == ["crops/a_1.jpg", "crops/a_2.jpg"]
    assert [crop["file"] for crop in second["crops"]] == ["crops/sub/b_1.jpg", "crops/sub/b_2.jpg"]
    assert first["crops"][0] == {
        "box": [40, 0, 80, 60],
        "score": 0.9,
        "focal_point": [75, 50],
        "file": "crops/a_1.jpg",
    }
    assert first["references"][0]["name"] == "gone.jpg"
    crop = np.asarray(Image.open(out / "crops" / "a_1.jpg"))
    assert crop.shape == (60, 40, 3) and crop.min() > 250  # the white half and nothing of the black one
    assert Image.open(out / "sheet.png").width > 1000
    assert not (out / "crops.jsonl.part").exists()
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
    assert sorted(path.name for path in (out / "crops").iterdir()) == ["a_1.jpg", "a_2.jpg"]
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


def test_argument_errors_exit_with_2():
    with pytest.raises(SystemExit) as stop:
        main(["crop", "photo.jpg", "--out", "x"])
    assert stop.value.code == 2


def test_an_earlier_run_is_replaced_only_when_asked(tmp_path, capsys):
    source, out = tmp_path / "in", tmp_path / "out"
    draw_photo(source / "a.png")
    draw_photo(source / "old.png")
    assert run(source, "--out", out) == 0
    (out / "crops" / "mine.jpg").write_bytes(b"not of this tool")
    (out / "sheet_2.png").write_bytes(b"a page of a longer sheet")
    (source / "old.png").unlink()
    before = (out / "crops.jsonl").read_bytes()
    assert run(source, "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err and (out / "crops.jsonl").read_bytes() == before
    assert run(source, "--out", out, "--overwrite", "--top-k", 1) == 0
    assert sorted(path.name for path in (out / "crops").iterdir()) == ["a_1.jpg", "mine.jpg"]
    assert not (out / "sheet_2.png").exists()


def test_overwriting_removes_nothing_outside_the_crops(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    draw_photo(source / "a.png")
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"kept")
    out.mkdir()
    record = {"crops": [{"file": "../precious.jpg"}, {"file": str(precious)}, {"file": 3}]}
    (out / "crops.jsonl").write_text(json.dumps(record) + "\nno json\n[1]\n")
    assert run(source, "--out", out, "--overwrite") == 0
    assert precious.read_bytes() == b"kept"


def test_an_interrupted_run_keeps_its_lines(tmp_path, monkeypatch, capsys):
    draw_photo(tmp_path / "in" / "a.png")
    draw_photo(tmp_path / "in" / "b.png")

    def crop(self, photo, path, top_k, caption=None):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return CropResult(os.fspath(path), (80, 60), np.array([[0, 0, 9, 9.0]]), np.array([0.5]))

    monkeypatch.setattr(HalfCropper, "crop", crop)
    out = tmp_path / "out"
    assert run(tmp_path / "in", "--out", out) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (out / "crops.jsonl").exists()
    lines = (out / "crops.jsonl.part").read_text().splitlines()
    assert [Path(json.loads(line)["path"]).name for line in lines] == ["a.png"]
    assert (out / "sheet.png").is_file()


def test_names_of_crops_never_collide(tmp_path):
    names = ["a.jpg", "a.png", "A.jpeg", "sub/a.jpg", "other/x/a.jpg", "a_1.jpg", "a.png.jpg"]
    for name in names:
        draw_photo(tmp_path / "one" / name)
    draw_photo(tmp_path / "two" / "a.jpg")
    inputs = [tmp_path / "one", tmp_path / "two" / "a.jpg", tmp_path / "one" / "a.jpg"]
    jobs = plan_jobs(inputs, tmp_path / "out")
    assert len(jobs) == len(names) + 1  # the photo that was named twice is cropped once
    files = [f"{job.stem}_{rank}".casefold() for job in jobs for rank in range(1, 100)]
    assert len(set(files)) == len(files)
    assert {"sub/a", "other/x/a"} <= {job.stem for job in jobs}


def test_long_and_odd_names_can_be_written(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    for name in (b"x" * 250 + b".png", b"caf\xe9 \n.png", "é".encode() * 120 + b".png", b"-rf.png"):
        draw_photo(source / os.fsdecode(name))
    assert run(source, "--out", out) == 0
    assert len(list((out / "crops").iterdir())) == 8
    assert len(read_lines(out)) == 4


def test_photos_below_the_output_folder_are_no_input(tmp_path):
    draw_photo(tmp_path / "a.png")
    assert run(tmp_path, "--out", tmp_path / "out") == 0
    assert run(tmp_path, "--out", tmp_path / "out", "--overwrite") == 0
    assert len(read_lines(tmp_path / "out")) == 1


def test_the_input_may_lie_in_the_output_folder(tmp_path):
    draw_photo(tmp_path / "out" / "photos" / "a.png")
    assert run(tmp_path / "out" / "photos", "--out", tmp_path / "out") == 0
    assert len(read_lines(tmp_path / "out")) == 1


def test_a_closed_output_is_no_failure(tmp_path):
    code = (
        "import sys, types\n"
        "from procrop.apis import crop_command\n"
        "from procrop.apis.cli import main\n"
        "crop_command.run = lambda args: print('x' * 100000) or 0\n"
        "sys.exit(main(['crop', 'a', '--checkpoint', 'b', '--out', 'c']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(20) == 0


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
    assert done.returncode == 2 and "--checkpoint" in done.stderr
