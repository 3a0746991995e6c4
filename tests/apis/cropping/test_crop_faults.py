"""What can go wrong on the command line and with the disk."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in
from run_pieces import tree

from procrop.apis.cli import main

ROOT = Path(__file__).resolve().parents[3]
# the command around the stand-in, in a process of its own
SCRIPT = """
import sys
from half_cropper import put_in_place, run
put_in_place()
sys.exit(run(*sys.argv[1:]))
"""
# the same by a user whom modes stop; a first run, elsewhere, imports what this user may not read
POWERLESS = """
import contextlib, os, sys, tempfile
from half_cropper import put_in_place, run
put_in_place()
with tempfile.TemporaryDirectory() as elsewhere, open(os.devnull, "w") as nowhere:
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        run(sys.argv[1], "--out", elsewhere, *sys.argv[4:])
if os.getuid() == 0:
    os.setuid(65534)
sys.exit(run(*sys.argv[1:]))
"""


@pytest.fixture
def album(tmp_path, monkeypatch):
    stand_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        draw_photo(Path("in") / f"{name}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", "16:0"], "--ratio 16:0: '16:0': width and height of an aspect ratio must be above 0"),
        (["--ratio", "a:b"], "--ratio a:b: 'a:b' is no aspect ratio"),
        (["--ratio", "1:1", "in"], "--ratio in: 'in' is no aspect ratio"),
        (["--ratio", "100:1"], "--ratio 100:1: '100:1' is beyond 20:1"),
        (
            ["--size", "4000x20"],
            "error: --size 4000x20: '4000x20' is beyond 20:1 or 1:20; give a ratio between them\n",
        ),
        (["--ratio", "4:5", "4x5"], "the same ratio twice"),
        (["--ratio", "1:1", "--size", "100x200"], "a size of 100 x 200 is not of the ratio 1:1"),
        (["--subject", "9,9,3,3"], "a subject is a box x1, y1, x2, y2 with x1 < x2"),
        (["--top-k", 0], "--top-k must be a whole number of at least 1"),
        (["--top-k", 4], "predicts 3 crops per photo, --top-k=4 is more"),
        (["--lossless", "--quality", 90], "--lossless and --quality contradict each other"),
        (["--lossless", "--size", "9x9"], "--lossless and --size contradict each other"),
        (["--list", "none"], "none: the list cannot be read"),
        (["--size", "5x60000"], "--size 5x60000: '5x60000' is beyond 20:1"),
        (["--lossless", "--format", "png"], "--format png has no --lossless"),
        (["--quality", 90, "--format", "tiff"], "--format tiff has no --quality"),
        (["--weight", "a=2", "--weight", "a=3"], "--weight a=3: it has the weight 2 already"),
    ],
)
def test_requests_that_cannot_be_met_are_told_before_anything_is_written(album, capsys, options, message):
    assert run("in", "--out", "out", *options) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not Path("out").exists()


def test_lossless_crops_need_their_package(album, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    assert run("in", "--out", "out", "--lossless") == 2
    assert "--lossless needs jpeglib: pip install 'procrop[lossless]'" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_rejected_photo_is_told_with_the_remedy(album, capsys):
    Path("in/c.jpg").touch()
    for _ in range(2):  # the second run knows it from the record
        assert run("in", "--out", "out") == 1
        said = capsys.readouterr().err
        assert "rejected: in/c.jpg: the file is empty (zero bytes); copy or download it again\n" in said
    assert read_lines(Path("out"))[2]["rejected"] == "the file is empty (zero bytes)"


@pytest.mark.parametrize(
    "options", [["--ratio", "a:b"], ["--lossless", "--quality", 90], ["--no-text", "--caption", "a"]]
)
def test_no_model_is_fetched_for_what_cannot_be_met(album, monkeypatch, options):
    monkeypatch.setattr("procrop.model_zoo.resolve_model", lambda *_: pytest.fail("a model was asked for"))
    assert run("in", "--out", "out", *options) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in", "--out", ""], "--out is empty; name a folder"),
        (["in", "", "--out", "out"], "one of the paths is empty"),
    ],
)
def test_an_empty_name_is_not_the_working_folder(album, capsys, words, message):
    before = tree(album)
    assert run(*words) == 2
    assert message in capsys.readouterr().err and tree(album) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--size", "100"),
        ("--size", "0x9"),
        ("--min-area", "1.5"),
        ("--min-area", "half"),
        ("--diverse", "-1"),
        ("--subject", "1,2,3"),
        ("--weight", "a.jpg"),
        ("--weight", "a.jpg=-1"),
        ("--quality", "0"),
        ("--format", "bmp"),
        ("--on-exists", "ask"),
    ],
)
def test_values_that_make_no_sense_are_told_with_the_option(capsys, option, value):
    with pytest.raises(SystemExit) as stop:
        main(["crop", "in", "--out", "out", "--checkpoint", "x", f"{option}={value}"])
    assert stop.value.code == 2 and f"argument {option}" in capsys.readouterr().err


def test_a_ratio_that_a_photo_cannot_have_rejects_that_photo_in_that_ratio(album, monkeypatch, capsys):
    answer = HalfCropper.answer

    def impossible(self, embedding, request, attention=False):
        if request.ratio == "1:1" and embedding.path.endswith("a.png"):
            from procrop.inference import CropResult

            return CropResult(embedding.path, embedding.size, rejected="at most 60 % of the photo")
        return answer(self, embedding, request)

    monkeypatch.setattr(HalfCropper, "answer", impossible)
    assert run("in", "--out", "out", "--ratio", "1:1", "16:9") == 1
    assert "rejected: in/a.png: 1:1: at most 60 % of the photo" in capsys.readouterr().err
    assert {name for name in tree(Path("out")) if name.startswith("crops/")} == {
        *(f"crops/16x9/{stem}_{rank}.png" for stem in "ab" for rank in (1, 2)),
        *(f"crops/1x1/b_{rank}.png" for rank in (1, 2)),
    }


@pytest.mark.parametrize("words", [["in"], ["in/*.png"], ["@list"]])
def test_the_output_folder_is_not_where_photos_are_searched(album, capsys, words):
    Path("list").write_text("in\n")
    assert run(*words, "--out", "in") == 2
    assert "--out in is the input folder too" in capsys.readouterr().err
    assert set(tree(Path("in"))) == {"a.png", "b.png"}


def test_photos_below_the_output_folder_are_no_input(album):
    assert run("in", "--out", "in/out") == 0
    assert run("in", "in/**/*.png", "--out", "in/out", "--on-exists", "overwrite") == 0
    assert len(read_lines(Path("in/out"))) == 2


def test_the_input_may_lie_in_the_output_folder(album):
    assert run("in", "--out", ".") == 0
    assert len(read_lines(Path("."))) == 2


def test_long_and_odd_names_can_be_written(album):
    for name in (b"x" * 250 + b".png", b"caf\xe9 \n.png", "é".encode() * 120 + b".png", b"-rf.png"):
        draw_photo(Path("odd") / os.fsdecode(name))
    assert run("odd", "--out", "out", "--overlay", "--before-after") == 0
    assert len(list(Path("out/crops").iterdir())) == 8 and len(read_lines(Path("out"))) == 4


def _process(*words, script=SCRIPT, **options):
    paths = [str(ROOT), str(ROOT / "tests"), *(path for path in sys.path if path)]
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        **options,
    )


def test_a_full_disk_stops_the_run_and_the_next_one_goes_on(album):
    draw_photo(Path("in/b.png"), (900, 400))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = _process("in", "--out", "out", "--no-sheet", "--format", "tiff", preexec_fn=limit)
    assert done.returncode == 2
    assert "File too large" in done.stderr and "free some space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [name for name in tree(Path("out")) if name.endswith(".tmp")]
    assert run("in", "--out", "out", "--no-sheet", "--format", "tiff") == 0
    assert run("in", "--out", "whole", "--no-sheet", "--format", "tiff") == 0
    assert tree(Path("out")) == tree(Path("whole"))


def test_a_folder_that_cannot_be_written_is_told(album):
    with tempfile.TemporaryDirectory() as folder:  # others may look into it
        os.chmod(folder, 0o755)
        shutil.copytree("in", Path(folder) / "in")
        Path(folder, "out").mkdir(0o555)
        done = _process("in", "--out", "out", "--format", "tiff", script=POWERLESS, cwd=folder)
        assert tree(Path(folder) / "out") == {}
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "out: cannot be written (Permission denied); choose another folder" in done.stderr


@pytest.mark.parametrize("closed", ["a reader that has gone", "no standard output"])
def test_a_closed_output_is_no_failure(album, closed):
    words = ("in", "--out", "out", "--no-sheet")
    if closed == "no standard output":
        done = _process(*words, preexec_fn=lambda: os.close(1))
    else:
        reader, writer = os.pipe()
        os.close(reader)
        done = _process(*words, preexec_fn=lambda: os.dup2(writer, 1))
        os.close(writer)
    assert done.returncode == 0 and "Error" not in done.stderr
    assert len(read_lines(Path("out"))) == 2
