"""What is refused or set aside, and whether the message says which file and what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
from text_cases import ColourTextEncoder, content, draw_photos

from procrop.datasets.text import (
    Caption,
    TextPhoto,
    TextTable,
    TextTableError,
    build_share,
    build_text,
    read_given_captions,
    verify_text,
)
from procrop.io.lock import FolderLock

COLOUR = dict(type="ColourTextEncoder")
COMMAND = r"python tools/text\.py build CONFIG"


@pytest.fixture
def photos(tmp_path):
    return draw_photos(tmp_path / "photos", 6)


@pytest.fixture
def folder(tmp_path, photos):
    build(tmp_path / "text", photos)
    return tmp_path / "text"


def build(folder, photos, encoder=None, **options):
    return build_text(folder, photos, encoder or ColourTextEncoder(), COLOUR, **options)


def rows_file(folder):
    return next((folder / "tokens").glob("*.npy"))


def set_line(folder, number, text):
    """Put a line into captions.jsonl in place of another, counted from 1."""
    path = folder / "captions.jsonl"
    lines = path.read_text().splitlines()
    lines[number - 1] = text
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "p02", "caption": "cut sho', "is no JSON.*mend or delete the line"),
        ('["p02", "x"]', 'must be {"id"'),
        ('{"id": "p02"}', 'needs "caption"'),
        ('{"id": 2, "caption": "x"}', 'needs "id"'),
        ('{"id": "p02", "caption": " "}', rf"the caption of 'p02' is empty.*{COMMAND}"),
        ('{"id": "p02", "caption": "lone \\ud83d"}', "the caption .* is no Unicode text .character 6"),
        ('{"id": "p01", "caption": "x"}', "'p01' has a caption in line 2 already"),
        ('{"id": "p02", "caption": "x", "source": "me"}', "source must be one of.*'me'"),
        ('{"id": "p02", "captoin": "x", "caption": "x"}', "unknown key 'captoin'"),
    ],
)
def test_a_broken_line_is_named(folder, photos, line, words):
    set_line(folder, 3, line)
    for use in (lambda: TextTable.open(folder), lambda: build(folder, photos)):
        with pytest.raises(TextTableError, match=rf"captions\.jsonl: line 3: .*{words}"):
            use()


def test_lines_that_were_added_or_removed_are_named(folder, photos):
    with open(folder / "captions.jsonl", "a") as file:
        file.write('{"id": "new", "caption": "x"}\n')
    with pytest.raises(TextTableError, match=rf"line 7: the caption of 'new' has no tokens yet.*{COMMAND}"):
        TextTable.open(folder)
    done = build(folder, photos)
    assert done.unknown == ["new"] and "new" not in done.table
    (folder / "captions.jsonl").write_text("")
    with pytest.raises(TextTableError, match="the caption of 'p00' was removed.*and 6 more"):
        TextTable.open(folder)


def test_order_blank_lines_and_a_byte_order_mark_do_not_matter(folder, photos):
    path = folder / "captions.jsonl"
    before = path.read_bytes()
    lines = before.decode().splitlines()[::-1]
    path.write_text("\ufeff" + "\r\n\r\n".join(lines), encoding="utf-8")
    assert TextTable.open(folder).lookup("p05").caption == "a photo of 5 10 195"
    assert verify_text(folder, photos) == []
    assert build(folder, photos).encoded == 0 and path.read_bytes() == before


def test_captions_that_are_no_utf8(folder):
    (folder / "captions.jsonl").write_bytes('{"id": "p00", "caption": "Bäume"}'.encode("latin-1"))
    with pytest.raises(TextTableError, match=r"captions\.jsonl: is no UTF-8 text"):
        TextTable.open(folder)


@pytest.mark.parametrize(
    "name", ["index.jsonl", "tokens/store.json", "rows", "captions.jsonl", "manifest.json"]
)
@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
def test_damaged_files_are_named_and_mended(folder, photos, name, how):
    whole = content(folder)
    path = rows_file(folder) if name == "rows" else folder / name
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:-5])
    else:
        at = len(data) - 10
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    problems = verify_text(folder, photos)
    assert problems and path.name in problems[0]
    if how != "changed" or name != "rows":  # bytes of large files are checked by verify alone
        with pytest.raises(TextTableError, match=rf"{path.name}.*{COMMAND}|{path.name}: line"):
            TextTable.open(folder)
    if name == "captions.jsonl" and how != "missing":
        path.unlink()  # a caption that was damaged cannot be told from an edited one
    build(folder, photos)
    assert verify_text(folder, photos) == [] and content(folder) == whole


def test_another_version_is_refused(folder, photos, monkeypatch):
    for module in ("text_table", "planned", "text_work", "finish"):
        monkeypatch.setattr(f"procrop.datasets.text.{module}.VERSION", 2)
    with pytest.raises(TextTableError, match=rf"version 1 is older than version 2.*{COMMAND}"):
        TextTable.open(folder)
    encoder = ColourTextEncoder()
    build(folder, photos, encoder)
    # what the same encoder has made of the same captions is taken over
    assert encoder.captioned == encoder.encoded == [] and len(TextTable.open(folder)) == 6


def test_nothing_there(tmp_path):
    with pytest.raises(TextTableError, match=rf"nowhere: no such text folder.*{COMMAND}"):
        TextTable.open(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TextTableError, match=rf"manifest\.json: not found.*{COMMAND}"):
        TextTable.open(tmp_path / "empty")


def test_another_encoder_needs_a_rebuild_which_keeps_captions(folder, photos):
    set_line(folder, 2, '{"id": "p01", "caption": "edited", "source": "generated"}')
    before = content(folder)
    encoder = ColourTextEncoder(salt=" other")
    with pytest.raises(TextTableError, match=rf"made by another encoder.*{COMMAND} --rebuild"):
        build(folder, photos, encoder)
    with pytest.raises(TextTableError, match="--rebuild"):
        build_share(folder, photos, encoder, COLOUR, 0, 2)
    assert encoder.encoded == []
    assert {k: v for k, v in content(folder).items() if "parts" not in k} == before
    table = build(folder, photos, encoder, rebuild=True).table
    assert len(encoder.encoded) == 6 and encoder.captioned == []
    assert table.fingerprint == encoder.fingerprint and table.lookup("p01").caption == "edited"
    assert len(list((folder / "tokens").glob("*.npy"))) == 1  # the old tokens are gone
    build(folder, photos, encoder)


def test_captions_of_two_models_are_not_mixed_unasked(folder, photos):
    encoder = ColourTextEncoder(model="2")
    before = content(folder)
    assert build(folder, photos, encoder).captioned == 0  # no caption is wanted of it
    assert content(folder) == before  # so the folder still says who wrote its captions
    set_line(folder, 2, "")
    with pytest.raises(TextTableError, match="by another caption model.*delete captions.jsonl"):
        build(folder, photos, encoder)
    assert build(folder, photos, encoder, rebuild=True).captioned == 1


def test_a_part_of_the_photos_takes_no_tokens_away(folder, photos):
    before = content(folder)
    for make in (build, lambda *args: build_share(*args[:2], ColourTextEncoder(), COLOUR, 0, 2)):
        with pytest.raises(
            TextTableError, match="tokens of 2 photos that are not listed now, 'p04'.*--forget"
        ):
            make(folder, photos[:4])
        assert content(folder) == before
    encoder = ColourTextEncoder()
    assert len(build(folder, photos[:4], encoder, forget=True).table) == 4 and not encoder.encoded


def test_bad_photos_are_set_aside_until_they_are_mended(folder, photos):
    good = Path(photos[1].path).read_bytes()
    Path(photos[1].path).write_bytes(b"no photo")
    Path(photos[4].path).unlink()
    set_line(folder, 5, "")
    done = build(folder, photos)
    assert [img_id for img_id, _ in done.rejected] == ["p01", "p04"]
    assert "no image of a known format" in done.rejected[0][1] and len(done.table) == 4
    lines = [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]
    assert [tuple(line.values()) for line in lines] == done.rejected
    # p01 has its caption still, p04 none: neither has tokens
    assert "p01" in done.table.captions and "p04" not in done.table.captions
    assert [p for p in verify_text(folder, photos) if "no tokens" in p] == verify_text(folder, photos)
    assert build(folder, photos).rejected == done.rejected
    Path(photos[1].path).write_bytes(good)
    assert [img_id for img_id, _ in build(folder, photos).rejected] == ["p04"]


def test_what_an_encoder_must_not_give(tmp_path, photos):
    class Broken(ColourTextEncoder):
        given = np.full((2, 5), np.nan, np.float16)

        def encode(self, images, captions):
            found = super().encode(images, captions)
            return [
                self.given if "of 3 " in text else rows for text, rows in zip(captions, found, strict=True)
            ]

    done = build(tmp_path / "a", photos, Broken())
    (rejected,) = done.rejected
    assert rejected[0] == "p03" and "no finite float16 numbers" in rejected[1]
    assert len(done.table) == 5
    for i, wrong in enumerate(
        [np.zeros((2, 4), np.float16), np.zeros((2, 5), np.float32), np.zeros((0, 5), np.float16)]
    ):
        Broken.given = wrong
        with pytest.raises(ValueError, match=r"Broken gives tokens .* not float16 \(m', 5\)"):
            build(tmp_path / f"b{i}", photos, Broken())


def test_two_writers_and_foreign_folders_are_refused(folder, photos, tmp_path):
    with FolderLock(folder / "build.lock"), pytest.raises(TextTableError, match="another process is writing"):
        build(folder, photos)
    part = folder / "parts/0of2"
    part.mkdir(parents=True)
    with FolderLock(part / "build.lock"):
        with pytest.raises(TextTableError, match="0of2: is still being built"):
            build(folder, photos)
        with pytest.raises(TextTableError, match="another process is writing"):
            build_share(folder, photos, ColourTextEncoder(), COLOUR, 0, 2)
    with pytest.raises(TextTableError, match="holds other files"):
        build(tmp_path / "photos", photos)
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery/manifest.json").write_text('{"kind": "gallery"}')
    with pytest.raises(TextTableError, match="holds a gallery"):
        build(tmp_path / "gallery", photos)


def test_one_name_for_two_photos(folder, photos):
    with pytest.raises(TextTableError, match="'p00' names two photos.*its own text folder"):
        build(folder, [*photos, TextPhoto("p00", photos[1].path)])
    build(folder, [*photos, *photos])  # a photo of two splits is one photo
    with pytest.raises(TextTableError, match="no photo"):
        build(folder, [])


def test_captions_written_before_the_first_build_count(tmp_path, photos):
    (tmp_path / "text").mkdir()
    (tmp_path / "text/captions.jsonl").write_text('{"id": "p03", "caption": "mine"}\n')
    encoder = ColourTextEncoder()
    table = build(tmp_path / "text", photos, encoder).table
    assert len(encoder.captioned) == 5 and table.captions["p03"][:2] == ("mine", "given")


@pytest.mark.parametrize(
    "text", ['{"id": "a", "caption": "x y"}\n{"id": "b c", "caption": "ä"}\n', "a\tx y\nb c\tä\n"]
)
def test_files_of_given_captions(tmp_path, text):
    path = tmp_path / "given"
    path.write_text(text, encoding="utf-8")
    found = read_given_captions(path)
    assert {k: (c.text, c.source) for k, c in found.items()} == {"a": ("x y", "given"), "b c": ("ä", "given")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tx\nb x\n", "line 2: must be id<TAB>caption"),
        ('{"id": "a", "caption": "x"}\n{"id": "b"}', 'line 2: needs "caption"'),
        ("a\tx\n\na\ty\n", "line 3: 'a' has a caption in line 1 already"),
        ("\n", "holds no caption"),
    ],
)
def test_given_captions_that_cannot_be_used(tmp_path, text, words):
    path = tmp_path / "given"
    path.write_text(text)
    with pytest.raises(TextTableError, match=f"given: {words}"):
        read_given_captions(path)
    with pytest.raises(TextTableError, match="no such file"):
        read_given_captions(tmp_path / "gone")


def test_given_captions_of_other_photos(folder, photos):
    with pytest.raises(TextTableError, match="none of the 1 captions given.*'x'.*'p00'"):
        build(folder, photos, given={"x": Caption("y")})
