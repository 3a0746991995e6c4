"""Captions on the command line, around a cropper that is a stand-in."""

from pathlib import Path

import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in

from procrop.visualization import ContactSheet


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    stand_in(monkeypatch)


def _captions(out):
    return {Path(line["path"]).name: (line["caption"], line["caption_source"]) for line in read_lines(out)}


def test_a_caption_is_for_all_photos(tmp_path):
    for name in "ab":
        draw_photo(tmp_path / "in" / f"{name}.png")
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--caption", "the dog") == 0
    assert set(_captions(tmp_path / "out").values()) == {("the dog", "given")}
    assert HalfCropper.text_options == (None, None)
    assert run(tmp_path / "in", "--out", tmp_path / "plain") == 0
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
        draw_photo(tmp_path / "in" / name)
    file = tmp_path / "captions"
    text = text.replace("PATH", str(tmp_path / "in" / "sub" / "c.png"))
    file.write_text(text + unknown + "\n")
    options = ["--captions", file, "--caption", "the rest"]
    assert run(tmp_path / "in", "--out", tmp_path / "out", *options) == 0
    assert _captions(tmp_path / "out") == {
        "a.png": ("by name", "given"),
        "b.png": ("hund, 狗", "given"),
        "c.png": ("by path", "given"),
        "d.png": ("the rest", "given"),
    }
    assert f"{file}: no photo elsewhere/x in the input" in capsys.readouterr().err
    assert run(tmp_path / "in", "--out", tmp_path / "two", "--captions", file) == 0
    assert _captions(tmp_path / "two")["d.png"] == ("half black", "generated")


def test_a_name_with_its_suffix_comes_before_one_without(tmp_path):
    for name in ("a.png", "a.png.jpg"):
        draw_photo(tmp_path / "in" / name)
    file = tmp_path / "captions.tsv"
    file.write_text("a.png\tthe first\n")
    assert run(tmp_path / "in", "--out", tmp_path / "out", "--captions", file) == 0
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
        draw_photo(Path("in") / name)
    if text is not None:
        Path("captions").write_text(text)
    assert run("in", "--out", "out", "--captions", "captions") == 2
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
        (["--text-encoder", ""], ": no such config file"),
        (["--text-encoder", "none.py"], "none.py: no such config file"),
        (["--text-encoder", "wrong.py"], "did you mean `token_dim`?"),
        (["--text-encoder", "other.py"], "other.py: holds no `text_encoder = dict(type="),
    ],
)
def test_text_options_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    draw_photo(Path("in") / "a.png")
    Path("other.py").write_text("work_dir = 'x'\n")
    Path("wrong.py").write_text("text_encoder = dict(type='WordTextEncoder', token_dims=8)\n")
    assert run("in", "--out", "out", *words) == 2
    assert message in capsys.readouterr().err and not Path("out").exists()


def test_text_options_reach_the_cropper(tmp_path):
    draw_photo(tmp_path / "in" / "a.png")
    config = tmp_path / "text.py"
    config.write_text("text_encoder = dict(type='WordTextEncoder', token_dim=8)\n")
    assert run(tmp_path / "in", "--out", tmp_path / "a", "--text-encoder", config) == 0
    assert HalfCropper.text_options == (None, dict(type="WordTextEncoder", token_dim=8))
    assert run(tmp_path / "in", "--out", tmp_path / "b", "--no-text") == 0
    assert HalfCropper.text_options == (False, None)
    assert _captions(tmp_path / "b") == {"a.png": (None, None)}


def test_the_sheet_shows_captions_where_the_model_reads_text(tmp_path, monkeypatch):
    draw_photo(tmp_path / "in" / "a.png")
    rows = []
    draw = ContactSheet.draw
    monkeypatch.setattr(
        ContactSheet,
        "draw",
        lambda self, row: rows.append((row.caption, row.caption_source)) or draw(self, row),
    )
    run(tmp_path / "in", "--out", tmp_path / "a", "--caption", "the dog")
    run(tmp_path / "in", "--out", tmp_path / "b")
    run(tmp_path / "in", "--out", tmp_path / "c", "--no-text")
    assert rows == [("the dog", "given"), ("half black", "generated"), (None, "")]
