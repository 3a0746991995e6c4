"""What a later run does with what an earlier one has left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in
from PIL import Image
from run_pieces import tree

from procrop.visualization import ContactSheet


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    stand_in(monkeypatch)


@pytest.fixture
def short_pages(monkeypatch):
    """Sheets of two rows a page."""
    make = ContactSheet.__init__
    monkeypatch.setattr(ContactSheet, "__init__", lambda self, *args: make(self, *args, rows_per_page=2))


def _album(root, names="abc"):
    for name in names:
        draw_photo(root / f"{name}.png")
    return root


def _names():
    return [Path(path).stem for path in HalfCropper.embedded]


def test_a_run_that_is_done_is_not_done_again(tmp_path, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    (source / "d.jpg").touch()
    assert run(source, "--out", out) == 1
    before, said = tree(out), capsys.readouterr()
    HalfCropper.made.clear()
    assert run(source, "--out", out) == 1
    assert tree(out) == before and HalfCropper.made == []  # no model was loaded
    again = capsys.readouterr()
    assert again.err == said.err[said.err.index("rejected:") :]  # and the rejected one is listed again
    assert "3 of 4 photos cropped, 1 rejected, 4 of them in an earlier run" in again.out


def test_new_and_changed_photos_are_cropped_and_others_stay(tmp_path, short_pages):
    source, out = _album(tmp_path / "in", "abcde"), tmp_path / "out"
    (source / "late.jpg").touch()
    assert run(source, "--out", out, "--captions", _captions(tmp_path, "c\tone\n")) == 1
    lines = {line["stem"]: line for line in read_lines(out)}
    draw_photo(source / "b.png", (40, 30))
    draw_photo(source / "new.png")
    draw_photo(source / "late.jpg")
    (out / "crops" / "d_2.png").unlink()
    (source / "e.png").unlink()  # no input any more, and kept
    HalfCropper.embedded.clear()
    assert run(source, "--out", out, "--captions", _captions(tmp_path, "c\ttwo\n")) == 0
    assert _names() == ["b", "c", "d", "late", "new"]
    after = read_lines(out)
    assert [line["stem"] for line in after] == ["a", "e", "b", "c", "d", "late", "new"]
    assert [line for line in after if line["stem"] in "ae"] == [lines["a"], lines["e"]]
    assert after[2]["size"] == [40, 30] and after[3]["caption"] == "two"
    assert (out / "crops" / "d_2.png").is_file()
    assert [path.name for path in sorted(out.glob("sheet*"))] == [
        f"sheet{p}.png" for p in ("", "_2", "_3", "_4")
    ]


def _captions(folder, text):
    (folder / "captions").write_text(text)
    return folder / "captions"


def test_a_grown_folder_has_the_sheet_of_one_run(tmp_path, short_pages):
    source, out = _album(tmp_path / "in", "abc"), tmp_path / "out"
    assert run(source, "--out", out) == 0
    _album(source, "defg")
    assert run(source, "--out", out) == 0
    assert run(source, "--out", tmp_path / "whole") == 0
    assert tree(out) == tree(tmp_path / "whole")


def test_other_photos_join_without_taking_names(tmp_path):
    out = tmp_path / "out"
    assert run(_album(tmp_path / "monday"), "--out", out) == 0
    assert run(_album(tmp_path / "tuesday", "ab"), "--out", out) == 0
    assert [line["stem"] for line in read_lines(out)] == ["a", "b", "c", "a.png", "b.png"]
    assert len(list((out / "crops").iterdir())) == 10


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--top-k", 2], "--top-k: 3 there, 2 here"),
        (["--ratio", "1:1", "4:5"], "--ratio: none there, 1:1 4:5 here"),
        (
            ["--format", "jpeg", "--caption", "x"],
            "--caption: none there, x here; --format: keep there, jpeg here",
        ),
    ],
)
def test_other_settings_are_told(tmp_path, capsys, options, told):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    assert run(source, "--out", out) == 0
    before = tree(out)
    assert run(source, "--out", out, *options) == 2
    assert told in capsys.readouterr().err and tree(out) == before
    assert run(source, "--out", out, *options, "--on-exists", "overwrite") == 0
    assert len(read_lines(out)) == 3 * (2 if "1:1" in options else 1)


def test_another_checkpoint_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source = _album(Path("in"))
    Path("model.pth").write_bytes(b"one")
    assert run(source, "--out", "out") == 0
    Path("model.pth").write_bytes(b"two")
    assert run(source, "--out", "out") == 2
    assert "other settings (--checkpoint: another one)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "then", "refused"),
    [("a", "b", True), ("a", None, True), (None, "b", True), ("a", "copy", False), (None, "own", False)],
)
def test_another_gallery_is_told_even_if_nothing_is_left_to_do(
    tmp_path, monkeypatch, capsys, first, then, refused
):
    """A folder of another name with the same gallery in it will do; the training's gallery is called "own"."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "copy", "own"):
        Path(name).mkdir()
        Path(name, "manifest.json").write_text("a" if name == "copy" else name)
    used = property(lambda self: SimpleNamespace(gallery=SimpleNamespace(folder=self.made[-1][1] or "own")))
    monkeypatch.setattr(HalfCropper, "references", used)
    _album(Path("in"))
    first, then = ([] if name is None else ["--gallery", name] for name in (first, then))
    assert run("in", "--out", "out", *first) == 0
    before = tree(Path("out"))
    assert run("in", "--out", "out", *then) == (2 if refused else 0)
    assert ("other settings (--gallery: another one)" in capsys.readouterr().err) == refused
    assert tree(Path("out")) == before


def test_fail_touches_nothing(tmp_path, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    assert run(source, "--out", out, "--on-exists", "fail") == 0
    before = tree(out)
    assert run(source, "--out", out, "--on-exists", "fail") == 2
    assert "holds the crops of an earlier run" in capsys.readouterr().err and tree(out) == before


def test_overwriting_removes_what_the_earlier_run_wrote_and_nothing_else(tmp_path):
    source, out = _album(tmp_path / "in", ["a", "old"]), tmp_path / "out"
    assert run(source, "--out", out, "--overlay") == 0
    mine = out / "crops" / "mine.jpg"
    mine.write_bytes(b"not of this tool")
    (source / "old.png").unlink()
    assert run(source, "--out", out, "--on-exists", "overwrite", "--top-k", 1, "--no-sheet") == 0
    assert set(tree(out)) == {"crops/a_1.png", "crops/mine.jpg", "crops.jsonl", "crops.csv", "run.json"}


def test_overwriting_removes_nothing_outside_the_crops(tmp_path):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    precious = tmp_path / "precious.jpg"
    precious.write_bytes(b"kept")
    out.mkdir()
    record = {
        "crops": [{"file": "../precious.jpg"}, {"file": str(precious)}, {"file": 3}],
        "pictures": {"x": ".."},
    }
    (out / "crops.jsonl").write_text(json.dumps(record) + "\nno json\n[1]\n")
    assert run(source, "--out", out) == 2
    assert run(source, "--out", out, "--on-exists", "overwrite") == 0
    assert precious.read_bytes() == b"kept" and source.is_dir()


@pytest.mark.parametrize("name", ["crops/b_1.jpg", "sheet.png", "crops.csv"])
def test_a_first_run_replaces_nothing(tmp_path, capsys, name):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_bytes(b"mine")
    assert run(source, "--out", out) == 2
    assert "--on-exists overwrite" in capsys.readouterr().err and set(tree(out)) == {name}


def test_a_damaged_record_is_told_and_a_half_line_at_its_end_is_not(tmp_path, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    assert run(source, "--out", out) == 0
    whole, record = tree(out), out / "crops.jsonl"
    record.write_bytes(whole["crops.jsonl"][:-30])
    assert run(source, "--out", out) == 0 and tree(out) == whole
    assert _names() == ["a", "b", "c", "c"]
    record.write_bytes(b"{}\n" + whole["crops.jsonl"])
    assert run(source, "--out", out) == 2
    assert "crops.jsonl: line 1 is damaged" in capsys.readouterr().err
    (out / "run.json").write_text("{")
    assert run(source, "--out", out) == 2
    assert "run.json: cannot be used" in capsys.readouterr().err


def test_an_interrupted_run_keeps_what_it_has(tmp_path, monkeypatch, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    answer = HalfCropper.answer

    def stop(self, embedding, request, attention=False):
        if embedding.path.endswith("c.png"):
            raise KeyboardInterrupt
        return answer(self, embedding, request)

    monkeypatch.setattr(HalfCropper, "answer", stop)
    assert run(source, "--out", out) == 130
    assert "interrupted" in capsys.readouterr().err
    assert [line["stem"] for line in read_lines(out)] == ["a", "b"]
    assert Image.open(out / "sheet.png").height > 500
    assert json.loads((out / "run.json").read_text())["finished"] is False
    monkeypatch.setattr(HalfCropper, "answer", answer)
    assert run(source, "--out", out) == 0
    assert run(source, "--out", tmp_path / "whole") == 0
    assert tree(out) == tree(tmp_path / "whole")


def test_two_runs_do_not_write_at_once(tmp_path, monkeypatch, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    embed = HalfCropper.embed

    def second_run(self, photo, path, caption=None):
        monkeypatch.setattr(HalfCropper, "embed", embed)
        assert run(source, "--out", out) == 2
        assert "another process is writing here" in capsys.readouterr().err
        return embed(self, photo, path, caption)

    monkeypatch.setattr(HalfCropper, "embed", second_run)
    assert run(source, "--out", out) == 0
    assert len(read_lines(out)) == 3


def _killed(tmp_path, points):
    """Kill a run at some of its steps, finish it, and compare: see kill_server.py."""
    rng = np.random.default_rng(3)
    for number in range(5):
        pixels = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        path = tmp_path / "in" / ("sub" * (number % 2)) / f"{number}.{'jpg' if number % 3 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "in" / "4.png").write_bytes(b"no photo")
    server = Path(__file__).with_name("kill_server.py")
    done = subprocess.run(
        [sys.executable, server, tmp_path, str(points)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _check_killed(report):
    assert report["killed"] == len(report["differing"]) > 0
    assert {point: names for point, names in report["differing"].items() if names} == {}
    # the photo whose files were being written, one more for each further thread, is done twice at most
    assert all(0 <= again <= report["in_flight"] for again in report["done_twice"])


def test_a_killed_run_ends_as_one_that_was_not(tmp_path):
    _check_killed(_killed(tmp_path, 5))


@pytest.mark.slow
def test_a_run_killed_at_any_step_ends_as_one_that_was_not(tmp_path):
    report = _killed(tmp_path, 10_000)
    _check_killed(report)
    assert len(report["differing"]) > 30


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("crops/a_1.jpg", []),
        ("crops/a_2.png", []),
        ("crops/16x9/a_1.webp", ["--ratio", "1:1", "16:9"]),
        ("overlays/a_overlay.jpg", ["--overlay", "--no-crops"]),
        ("before_after/a_1.jpg", ["--before-after"]),
        ("explained/a_explained.png", ["--explain"]),
    ],
)
def test_files_of_others_are_not_replaced(tmp_path, capsys, name, options):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    theirs = out / name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    assert run(source, "--out", out, *options) == 2
    assert f"{theirs} is there already and of no earlier run" in capsys.readouterr().err
    assert theirs.read_bytes() == b"mine" and list(out.rglob("*.json*")) == []


def test_a_later_run_replaces_no_files_of_others_either(tmp_path, capsys):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    assert run(source, "--out", out) == 0
    draw_photo(source / "d.png")
    (out / "crops/d_2.png").write_bytes(b"mine")
    before = tree(out)
    assert run(source, "--out", out) == 2
    assert "crops/d_2.png is there already and of no earlier run" in capsys.readouterr().err
    assert tree(out) == before


def test_files_of_others_that_are_in_nobodys_way_stay(tmp_path):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    for name in ("crops/z_1.jpg", "crops/a.txt", "overlays/a_overlay.jpg"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(b"mine")
    assert run(source, "--out", out) == 0
    assert (out / "overlays/a_overlay.jpg").read_bytes() == (out / "crops/z_1.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize("stem", ["../../escaped", "/escaped", 7])
def test_a_record_that_leads_out_of_the_folder_is_damaged(tmp_path, capsys, stem):
    source, out = _album(tmp_path / "in"), tmp_path / "out"
    assert run(source, "--out", out) == 0
    lines = read_lines(out)
    lines[1]["stem"] = stem
    (out / "crops.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    draw_photo(source / "b.png", (40, 30))  # is to be cropped again
    capsys.readouterr()
    assert run(source, "--out", out) == 2
    assert "crops.jsonl: line 2 is damaged" in capsys.readouterr().err
