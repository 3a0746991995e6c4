"""The command around a cropper that is a stand-in: the right half of every photo, then the whole of it."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.apis import CropResult, Reference
from procrop.apis.cli import main
from procrop.apis.crop_jobs import plan_jobs
from procrop.visualization import ContactSheet

ROOT = Path(__file__).resolve().parents[2]


class HalfCropper:
    """Takes the arguments of CropInferencer and has its methods."""

    references = object()
    made: list[tuple] = []

    def __init__(
        self, checkpoint, gallery=None, device=None, k=None, query_encoder=None, text=None, text_encoder=None
    ):
        HalfCropper.made.append((checkpoint, gallery, device, k, query_encoder))
        HalfCropper.text_options = text, text_encoder
        self.text = None if text is False else object()

    def check_top_k(self, top_k):
        if top_k > 3:
            raise ValueError(f"this model predicts 3 crops per photo, top_k={top_k} is more")

    def check_captions(self, captions):
        if "refused" in list(captions):
            raise ValueError("model.pth: this model works without text; leave the caption out")

    def crop(self, photo, path, top_k, caption=None):
        height, width = photo.shape[:2]
        if width > 1000:
            return CropResult(os.fspath(path), (width, height), rejected="too large")
        boxes = np.array([[width / 2, 0, width, height], [0, 0, width, height]])[:top_k]
        reference = Reference(3, "gone.jpg", 0.5, "/nowhere/gone.jpg")
        said = dict(caption=caption or "half black", caption_source="given" if caption else "generated")
        return CropResult(
            os.fspath(path),
            (width, height),
            boxes,
            np.array([0.9, 0.4])[:top_k],
            [reference],
            **(said if self.text else {}),
        )


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    module = types.ModuleType("procrop.apis.crop_inferencer")
    module.CropInferencer = HalfCropper
    monkeypatch.setitem(sys.modules, "procrop.apis.crop_inferencer", module)
    HalfCropper.made = []
    HalfCropper.text_options = None


def _photo(path, size=(80, 60)):
    """A photo that is black on the left half and white on the right."""
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[:, size[0] // 2 :] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def _run(*words):
    return main(["crop", *map(str, words), "--checkpoint", "model.pth"])


def _lines(out):
    return [json.loads(line) for line in (out / "crops.jsonl").read_text().splitlines()]


def test_crops_records_and_sheet(tmp_path, capsys):
    _photo(tmp_path / "in" / "a.png")
    _photo(tmp_path / "in" / "sub" / "b.png", (40, 100))
    out = tmp_path / "out"
    options = ["--gallery", "g", "--device", "cpu", "--k", 4, "--query-encoder", "keys.safetensors"]
    assert _run(tmp_path / "in", "--out", out, "--top-k", 2, *options) == 0
    assert HalfCropper.made == [("model.pth", "g", "cpu", 4, "keys.safetensors")]
    first, second = _lines(out)
    assert first["path"] == str(tmp_path / "in" / "a.png") and first["size"] == [80, 60]
    assert [crop["file"] for crop in first["crops"]] == ["crops/a_1.jpg", "crops/a_2.jpg"]
    assert [crop["file"] for crop in second["crops"]] == ["crops/sub/b_1.jpg", "crops/sub/b_2.jpg"]
    assert first["crops"][0] == {"box": [40, 0, 80, 60], "score": 0.9, "file": "crops/a_1.jpg"}
    assert first["references"][0]["name"] == "gone.jpg"
    crop = np.asarray(Image.open(out / "crops" / "a_1.jpg"))
    assert crop.shape == (60, 40, 3) and crop.min() > 250  # the white half and nothing of the black one
    assert Image.open(out / "sheet.png").width > 1000
    assert not (out / "crops.jsonl.part").exists()
    assert "2 of 2 photos cropped" in capsys.readouterr().out


def test_bad_photos_are_listed_and_the_rest_goes_on(tmp_path, capsys):
    _photo(tmp_path / "in" / "a.png")
    _photo(tmp_path / "in" / "large.png", (1200, 10))
    (tmp_path / "in" / "empty.jpg").touch()
    (tmp_path / "in" / "text.jpg").write_text("no photo")
    out = tmp_path / "out"
    assert _run(tmp_path / "in", tmp_path / "missing.jpg", "--out", out) == 1
    records = {Path(line["path"]).name: line for line in _lines(out)}
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
    _photo(tmp_path / "in" / "crops" / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("kept")
    assert _run(*words) == 2
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
    _photo(source / "a.png")
    _photo(source / "old.png")
    assert _run(source, "--out", out) == 0
    (out / "crops" / "mine.jpg").write_bytes(b"not of this tool")
    (out / "sheet_2.png").write_bytes(b"a page of a longer sheet")
    (source / "old.png").unlink()
    before = (out / "crops.jsonl").read_bytes()
    assert _run(source, "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err and (out / "crops.jsonl").read_bytes() == before
    assert _run(source, "--out", out, "--overwrite", "--top-k", 1) == 0
    assert sorted(path.name for path in (out / "crops").iterdir()) == ["a_1.jpg", "mine.jpg"]
    assert not (out / "sheet_2.png").exists()


def test_overwriting_removes_nothing_outside_the_crops(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    _photo(source / "a.png")
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"kept")
    out.mkdir()
    record = {"crops": [{"file": "../precious.jpg"}, {"file": str(precious)}, {"file": 3}]}
    (out / "crops.jsonl").write_text(json.dumps(record) + "\nno json\n[1]\n")
    assert _run(source, "--out", out, "--overwrite") == 0
    assert precious.read_bytes() == b"kept"


def test_an_interrupted_run_keeps_its_lines(tmp_path, monkeypatch, capsys):
    _photo(tmp_path / "in" / "a.png")
    _photo(tmp_path / "in" / "b.png")

    def crop(self, photo, path, top_k, caption=None):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return CropResult(os.fspath(path), (80, 60), np.array([[0, 0, 9, 9.0]]), np.array([0.5]))

    monkeypatch.setattr(HalfCropper, "crop", crop)
    out = tmp_path / "out"
    assert _run(tmp_path / "in", "--out", out) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (out / "crops.jsonl").exists()
    lines = (out / "crops.jsonl.part").read_text().splitlines()
    assert [Path(json.loads(line)["path"]).name for line in lines] == ["a.png"]
    assert (out / "sheet.png").is_file()


def test_names_of_crops_never_collide(tmp_path):
    names = ["a.jpg", "a.png", "A.jpeg", "sub/a.jpg", "other/x/a.jpg", "a_1.jpg", "a.png.jpg"]
    for name in names:
        _photo(tmp_path / "one" / name)
    _photo(tmp_path / "two" / "a.jpg")
    inputs = [tmp_path / "one", tmp_path / "two" / "a.jpg", tmp_path / "one" / "a.jpg"]
    jobs = plan_jobs(inputs, tmp_path / "out")
    assert len(jobs) == len(names) + 1  # the photo that was named twice is cropped once
    files = [f"{job.stem}_{rank}".casefold() for job in jobs for rank in range(1, 100)]
    assert len(set(files)) == len(files)
    assert {"sub/a", "other/x/a"} <= {job.stem for job in jobs}


def test_long_and_odd_names_can_be_written(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    for name in (b"x" * 250 + b".png", b"caf\xe9 \n.png", "é".encode() * 120 + b".png", b"-rf.png"):
        _photo(source / os.fsdecode(name))
    assert _run(source, "--out", out) == 0
    assert len(list((out / "crops").iterdir())) == 8
    assert len(_lines(out)) == 4


def test_photos_below_the_output_folder_are_no_input(tmp_path):
    _photo(tmp_path / "a.png")
    assert _run(tmp_path, "--out", tmp_path / "out") == 0
    assert _run(tmp_path, "--out", tmp_path / "out", "--overwrite") == 0
    assert len(_lines(tmp_path / "out")) == 1


def test_the_input_may_lie_in_the_output_folder(tmp_path):
    _photo(tmp_path / "out" / "photos" / "a.png")
    assert _run(tmp_path / "out" / "photos", "--out", tmp_path / "out") == 0
    assert len(_lines(tmp_path / "out")) == 1


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


def _captions(out):
    return {Path(line["path"]).name: (line["caption"], line["caption_source"]) for line in _lines(out)}


def test_a_caption_is_for_all_photos(tmp_path):
    for name in "ab":
        _photo(tmp_path / "in" / f"{name}.png")
    assert _run(tmp_path / "in", "--out", tmp_path / "out", "--caption", "the dog") == 0
    assert set(_captions(tmp_path / "out").values()) == {("the dog", "given")}
    assert HalfCropper.text_options == (None, None)
    assert _run(tmp_path / "in", "--out", tmp_path / "plain") == 0
    assert set(_captions(tmp_path / "plain").values()) == {("half black", "generated")}


JSONL = (
    '{"id": "a", "caption": "by name"}\n'
    '{"id": "sub/b.png", "caption": "hund, \u72d7"}\n\n'
    '{"path": "PATH", "caption": "by path"}\n'
)
TSV = "a\tby name\n./sub/b.png\thund, \u72d7\r\nPATH\tby path\n"


@pytest.mark.parametrize(
    ("text", "unknown"),
    [(JSONL, '{"id": "elsewhere/x", "caption": "of no photo"}'), (TSV, "elsewhere/x\tof no photo")],
    ids=["jsonl", "tsv"],
)
def test_captions_of_single_photos_come_from_a_file(tmp_path, capsys, text, unknown):
    for name in ("a.png", "sub/b.png", "sub/c.png", "d.png"):
        _photo(tmp_path / "in" / name)
    file = tmp_path / "captions"
    text = text.replace("PATH", str(tmp_path / "in" / "sub" / "c.png"))
    file.write_text(text + unknown + "\n")
    options = ["--captions", file, "--caption", "the rest"]
    assert _run(tmp_path / "in", "--out", tmp_path / "out", *options) == 0
    assert _captions(tmp_path / "out") == {
        "a.png": ("by name", "given"),
        "b.png": ("hund, 狗", "given"),
        "c.png": ("by path", "given"),
        "d.png": ("the rest", "given"),
    }
    assert f"{file}: no photo elsewhere/x in the input" in capsys.readouterr().err
    assert _run(tmp_path / "in", "--out", tmp_path / "two", "--captions", file) == 0
    assert _captions(tmp_path / "two")["d.png"] == ("half black", "generated")


def test_a_name_with_its_suffix_comes_before_one_without(tmp_path):
    for name in ("a.png", "a.png.jpg"):
        _photo(tmp_path / "in" / name)
    file = tmp_path / "captions.tsv"
    file.write_text("a.png\tthe first\n")
    assert _run(tmp_path / "in", "--out", tmp_path / "out", "--captions", file) == 0
    assert _captions(tmp_path / "out")["a.png"] == ("the first", "given")
    assert _captions(tmp_path / "out")["a.png.jpg"] == ("half black", "generated")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tx\n", "line 1: 'a' names 2 photos (in/a.jpg, in/a.png); write the path"),
        ("a.jpg\tx\nin/a.jpg\ty\n", "line 2: 'in/a.jpg' is in/a.jpg, which has a caption already"),
        ("z\tx\n", "captions: names none of the photos: 'z' is none of them"),
        ("a.jpg x\n", "captions: line 1: must be id<TAB>caption"),
        ('{"id": "a.jpg", "caption": " "}\n', "captions: line 1: the caption of 'a.jpg' is empty"),
        ("\n", "captions: holds no caption"),
        (None, "captions: no such file of captions"),
    ],
)
def test_a_file_of_captions_that_cannot_be_used(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "a.png"):
        _photo(Path("in") / name)
    if text is not None:
        Path("captions").write_text(text)
    assert _run("in", "--out", "out", "--captions", "captions") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-text", "--caption", "x"], "--no-text and --caption contradict each other"),
        (["--no-text", "--captions", "x"], "--no-text and --captions contradict each other"),
        (["--no-text", "--text-encoder", "x"], "--no-text and --text-encoder contradict each other"),
        (["--caption", "refused"], "works without text; leave the caption out"),
        (["--text-encoder", "none.py"], "none.py: no such config file"),
        (["--text-encoder", "wrong.py"], "did you mean `token_dim`?"),
        (["--text-encoder", "other.py"], "other.py: holds no `text_encoder = dict(type="),
    ],
)
def test_text_options_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    _photo(Path("in") / "a.png")
    Path("other.py").write_text("work_dir = 'x'\n")
    Path("wrong.py").write_text("text_encoder = dict(type='WordTextEncoder', token_dims=8)\n")
    assert _run("in", "--out", "out", *words) == 2
    assert message in capsys.readouterr().err and not Path("out").exists()


def test_text_options_reach_the_cropper(tmp_path):
    _photo(tmp_path / "in" / "a.png")
    config = tmp_path / "text.py"
    config.write_text("text_encoder = dict(type='WordTextEncoder', token_dim=8)\n")
    assert _run(tmp_path / "in", "--out", tmp_path / "a", "--text-encoder", config) == 0
    assert HalfCropper.text_options == (None, dict(type="WordTextEncoder", token_dim=8))
    assert _run(tmp_path / "in", "--out", tmp_path / "b", "--no-text") == 0
    assert HalfCropper.text_options == (False, None)
    assert _captions(tmp_path / "b") == {"a.png": (None, None)}


def test_the_sheet_shows_captions_where_the_model_reads_text(tmp_path, monkeypatch):
    _photo(tmp_path / "in" / "a.png")
    rows = []
    monkeypatch.setattr(ContactSheet, "add", lambda self, row: rows.append((row.caption, row.caption_source)))
    _run(tmp_path / "in", "--out", tmp_path / "a", "--caption", "the dog")
    _run(tmp_path / "in", "--out", tmp_path / "b")
    _run(tmp_path / "in", "--out", tmp_path / "c", "--no-text")
    assert rows == [("the dog", "given"), ("half black", "generated"), (None, "")]
