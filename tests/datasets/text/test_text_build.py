"""Building a dataset's text: what is encoded when, and that the result is a function of photos and captions."""

import json
import signal
from multiprocessing import get_context

import numpy as np
import pytest
from text_cases import ColourTextEncoder, content, draw_photo, draw_photos

from procrop.datasets.text import Caption, TextTable, build_share, build_text, verify_text
from procrop.models.text import WordTextEncoder

COLOUR = dict(type="ColourTextEncoder")
NUMBER = 50


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("photos"), NUMBER)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, photos):
    """The text of all photos, built at once: nobody writes to it."""
    folder = tmp_path_factory.mktemp("whole") / "text"
    build(folder, photos)
    return folder


def build(folder, photos, encoder=None, **options):
    return build_text(folder, photos, encoder or ColourTextEncoder(), COLOUR, chunk_size=20, **options)


def edit(folder, changes):
    """Change captions as a person does: ``changes`` is id -> text, None to delete the line."""
    path = folder / "captions.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [{**r, "caption": changes.get(r["id"], r["caption"])} for r in records]
    path.write_text("".join(json.dumps(r) + "\n" for r in kept if r["caption"] is not None))


def test_captions_and_tokens_are_those_of_the_encoder(whole, photos):
    table, encoder = TextTable.open(whole), ColourTextEncoder()
    assert len(table) == NUMBER and table.ids == [photo.id for photo in photos]
    assert "p49" in table and "p50" not in table
    assert (table.fingerprint, table.token_dim, table.max_tokens) == (encoder.fingerprint, 5, 4)
    assert table.encoder_cfg == COLOUR and table.caption_fingerprint == encoder.caption_fingerprint
    for i in (0, 19, 20, 49):
        caption, tokens = table.lookup(f"p{i:02}")
        assert caption == f"a photo of {i} {2 * i} {200 - i}"
        image = np.full((4, 4, 3), (i, 2 * i, 200 - i), np.uint8)
        np.testing.assert_array_equal(tokens, encoder.encode([image], [caption])[0])
        assert tokens.dtype == np.float16
    lines = [json.loads(line) for line in (whole / "captions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == table.ids
    assert lines[3] == {"id": "p03", "caption": "a photo of 3 6 197", "source": "generated"}
    assert verify_text(whole, photos) == []
    manifest = (whole / "manifest.json").read_text()
    assert str(whole.parent) not in manifest and set(json.loads(manifest)["files"]) == {
        path for path in content(whole) if path != "manifest.json"
    }


def test_an_up_to_date_build_does_and_writes_nothing(tmp_path, photos):
    build(tmp_path / "text", photos)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "text").rglob("*") if path.is_file()}
    encoder = ColourTextEncoder()
    done = build(tmp_path / "text", photos, encoder)
    assert encoder.captioned == encoder.encoded == [] and (done.captioned, done.encoded) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_an_edited_caption_alone_is_encoded_again(tmp_path, whole, photos):
    folder = tmp_path / "text"
    build(folder, photos)
    edit(folder, {"p07": "ein Bild mit Bäumen"})
    with pytest.raises(
        ValueError, match=r"captions\.jsonl: line 8: .*'p07' was changed.*tools/text\.py build"
    ):
        TextTable.open(folder)
    encoder = ColourTextEncoder()
    done = build(folder, photos, encoder)
    assert encoder.encoded == ["ein Bild mit Bäumen"] and encoder.captioned == []
    assert done.encoded == 1 and done.table.lookup("p07").caption == "ein Bild mit Bäumen"
    assert "Bäumen" in (folder / "captions.jsonl").read_text(encoding="utf-8")
    before, after = TextTable.open(whole), done.table
    for img_id in before.ids:
        same = np.array_equal(before.lookup(img_id).tokens, after.lookup(img_id).tokens)
        assert same == (img_id != "p07")
    assert "50 generated (of these 1 edited), 0 given" in after.info()["captions"]
    # taken back, it is as if nothing had happened
    edit(folder, {"p07": "a photo of 7 14 193"})
    build(folder, photos)
    assert content(folder) == content(whole)


def test_the_result_of_edits_does_not_depend_on_their_order(tmp_path, photos):
    for name, order in (("a", ("p01", "p30")), ("b", ("p30", "p01"))):
        build(tmp_path / name, photos)
        for img_id in order:
            edit(tmp_path / name, {img_id: f"edited {img_id}"})
            build(tmp_path / name, photos)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_a_deleted_line_is_generated_again_and_needs_no_encoding(tmp_path, whole, photos):
    build(tmp_path / "text", photos)
    edit(tmp_path / "text", {"p21": None})
    encoder = ColourTextEncoder()
    build(tmp_path / "text", photos, encoder)
    assert encoder.captioned == ["a photo of 21 42 179"] and encoder.encoded == []
    assert content(tmp_path / "text") == content(whole)


def test_a_changed_photo_is_encoded_again_with_its_caption(tmp_path):
    photos = draw_photos(tmp_path / "photos", 5)
    build(tmp_path / "text", photos)
    draw_photo(photos[2].path, (90, 90, 90))
    assert f"{photos[2].path}: the photo has changed" in verify_text(tmp_path / "text", photos)[0]
    encoder = ColourTextEncoder()
    table = build(tmp_path / "text", photos, encoder).table
    assert encoder.encoded == ["a photo of 2 4 198"] and encoder.captioned == []
    assert table.lookup("p02").tokens[0].tolist()[2:] == [90, 90, 90]


def test_photos_that_come_and_go_leave_the_others_as_they_are(tmp_path, whole, photos):
    build(tmp_path / "text", photos[1:])
    encoder = ColourTextEncoder()
    done = build(tmp_path / "text", photos, encoder)  # one in front, so that every chunk is another
    assert done.encoded == 1 and content(tmp_path / "text") == content(whole)
    done = build(tmp_path / "text", photos[:30], forget=True)
    assert done.encoded == 0 and done.unknown == [f"p{i}" for i in range(30, 50)] and len(done.table) == 30
    with pytest.raises(ValueError, match="no caption and tokens of 'p30'"):
        done.table.lookup("p30")
    # the captions of the others are kept: they may be somebody's work
    assert done.table.captions["p30"].text == "a photo of 30 60 170"


@pytest.mark.parametrize("photos_done,kept_captions", [(5, 0), (16, 16), (35, 20), (36, 36)])
def test_a_build_that_failed_goes_on_and_ends_alike(tmp_path, whole, photos, photos_done, kept_captions):
    with pytest.raises(RuntimeError, match="caption model failed"):
        build(tmp_path / "text", photos, ColourTextEncoder(fail_after=photos_done))
    with pytest.raises(ValueError, match=r"never built to its end.*tools/text\.py build"):
        TextTable.open(tmp_path / "text")
    encoder = ColourTextEncoder()
    build(tmp_path / "text", photos, encoder)
    assert len(encoder.captioned) == NUMBER - kept_captions
    assert len(encoder.encoded) == NUMBER - 20 * (photos_done // 20)
    assert content(tmp_path / "text") == content(whole)


def test_a_killed_build_goes_on_and_ends_alike(tmp_path, whole, photos):
    # a fork, which need not import everything again
    encoder = ColourTextEncoder(kill_after=27)
    process = get_context("fork").Process(target=build, args=(tmp_path / "text", photos, encoder))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "text/build.lock").is_file()
    encoder = ColourTextEncoder()
    build(tmp_path / "text", photos, encoder)
    # the first chunk of 20 is complete, and captions of the step that was being encoded are kept
    assert len(encoder.encoded) == 30 and len(encoder.captioned) == NUMBER - 36
    assert content(tmp_path / "text") == content(whole)


def test_shards_joined_equal_one_run(tmp_path, whole, photos):
    folder = tmp_path / "text"

    def share(rank, processes=2):
        encoder = ColourTextEncoder()
        return build_share(folder, photos, encoder, COLOUR, rank, processes, chunk_size=20), encoder

    first, encoder = share(1)
    assert first.table is None and len(encoder.encoded) == 20
    with pytest.raises(ValueError, match="never built"):
        TextTable.open(folder)
    last, encoder = share(0)
    assert len(encoder.encoded) == last.encoded == last.captioned == 30 and len(last.table) == NUMBER
    assert content(folder) == content(whole)
    # the parts are gone; a share of what is finished has nothing to do
    assert share(0)[1].encoded == [] and share(1)[0].table is not None
    assert content(folder) == content(whole)


def test_a_build_joins_the_shards_that_are_there_and_makes_the_rest(tmp_path, whole, photos):
    build_share(tmp_path / "text", photos, ColourTextEncoder(), COLOUR, 2, 3, chunk_size=20)
    encoder = ColourTextEncoder()
    build(tmp_path / "text", photos, encoder)
    assert len(encoder.encoded) == len(encoder.captioned) == 40
    assert content(tmp_path / "text") == content(whole)


def test_given_captions_take_the_place_of_generated_ones(tmp_path, photos):
    folder = tmp_path / "text"
    build(folder, photos[:6])
    given = {"p02": Caption("mine"), "p04": Caption("mine too"), "x": Caption("of no photo")}
    encoder = ColourTextEncoder()
    done = build(folder, photos[:6], encoder, given=given)
    assert sorted(encoder.encoded) == ["mine", "mine too"] and done.unknown == ["x"]
    line = (folder / "captions.jsonl").read_text().splitlines()[2]
    assert json.loads(line) == {"id": "p02", "caption": "mine", "source": "given"}
    assert "4 generated (of these 0 edited), 2 given" in done.table.info()["captions"]
    # they stay without being given again; with them from the start only the others are generated
    assert build(folder, photos[:6]).encoded == 0
    fresh, encoder = tmp_path / "fresh", ColourTextEncoder()
    for rank in (0, 1):
        build_share(fresh, photos[:6], encoder, COLOUR, rank, 2, given=given, chunk_size=20)
    assert len(encoder.captioned) == 4 and content(fresh) == content(folder)


def test_an_encoder_without_captions_takes_those_that_are_given(tmp_path, photos):
    encoder, cfg = WordTextEncoder(8), dict(type="WordTextEncoder", token_dim=8, batch_size=2)
    given = {photo.id: Caption(f"word {photo.id}") for photo in photos[:4]}
    missing = [type(photos[0])(photo.id, "nowhere.png") for photo in photos[:5]]  # photos are never looked at
    done = build_text(tmp_path / "text", missing, encoder, cfg, given)
    assert done.rejected == [
        ("p04", "has no caption, and WordTextEncoder writes none: give one with --captions FILE")
    ]
    assert len(done.table) == 4 and done.table.encoder_cfg == dict(type="WordTextEncoder", token_dim=8)
    np.testing.assert_array_equal(done.table.lookup("p03").tokens, encoder.encode([None], ["word p03"])[0])
    assert verify_text(tmp_path / "text", missing, allow_missing=True) == []
    assert "no tokens of the photo 'p04'" in verify_text(tmp_path / "text", missing)[0]
    with pytest.raises(ValueError, match=r"no photo can have tokens.*'p00': has no caption.*--captions"):
        build_text(tmp_path / "none", missing, encoder, cfg)
