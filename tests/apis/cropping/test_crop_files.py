"""What is written of each photo: formats, ratios, pictures, the table."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from half_cropper import HalfCropper, draw_photo, read_lines, run, stand_in
from PIL import Image
from run_pieces import tree

from procrop.apis.cropping import run_jobs
from procrop.apis.cropping.csv_table import COLUMNS
from procrop.inference import ReferenceAttention


@pytest.fixture(autouse=True)
def album(tmp_path, monkeypatch):
    stand_in(monkeypatch)
    monkeypatch.chdir(tmp_path)
    draw_photo(Path("in/a.png"))
    draw_photo(Path("in/sub/b.jpg"), (60, 120))
    return tmp_path


def _files(folder="out"):
    return set(tree(Path(folder)))


def test_several_ratios_have_a_folder_each_and_share_an_embedding():
    assert run("in", "--out", "out", "--ratio", "1:1", "16:9", "--top-k", 1) == 0
    assert HalfCropper.embedded == ["in/a.png", "in/sub/b.jpg"]
    lines = read_lines(Path("out"))
    assert [(line["name"], line["ratio"]) for line in lines] == [
        ("a.png", "1:1"),
        ("a.png", "16:9"),
        ("sub/b.jpg", "1:1"),
        ("sub/b.jpg", "16:9"),
    ]
    assert [line["crops"][0]["file"] for line in lines] == [
        "crops/1x1/a_1.png",
        "crops/16x9/a_1.png",
        "crops/1x1/sub/b_1.jpg",
        "crops/16x9/sub/b_1.jpg",
    ]
    with Image.open("out/crops/1x1/sub/b_1.jpg") as crop:
        assert crop.size == (60, 60)


def test_what_is_asked_reaches_the_cropper(monkeypatch):
    asked, answer = [], HalfCropper.answer

    def listen(self, embedding, request, attention=False):
        asked.append(request)
        return answer(self, embedding, request)

    monkeypatch.setattr(HalfCropper, "answer", listen)
    words = ["--ratio", "4:5", "--min-area", "40%", "--diverse", "--subject", "1,2,30,40.5", "--top-k", 1]
    words += [
        "--pin",
        "p.jpg",
        "--ban",
        "b.jpg",
        "--ban",
        "c.jpg",
        "--weight",
        "w=1.jpg=3",
        "--caption",
        "sea",
    ]
    assert run("in/a.png", "--out", "out", *words) == 0
    (request,) = asked
    assert (request.ratio, request.min_area, request.max_overlap, request.top_k) == ("4:5", 0.4, 0.6, 1)
    assert request.subject == (1, 2, 30, 40.5) and request.caption == "sea"
    assert request.references.pinned == ("p.jpg",) and request.references.banned == ("b.jpg", "c.jpg")
    assert dict(request.references.weights) == {"w=1.jpg": 3}


@pytest.mark.parametrize(
    ("options", "suffixes", "kind"),
    [
        ([], {".png", ".jpg"}, None),
        (["--format", "jpeg", "--quality", 80], {".jpg"}, "JPEG"),
        (["--format", "webp"], {".webp"}, "WEBP"),
        (["--format", "tiff"], {".tif"}, "TIFF"),
    ],
)
def test_formats(options, suffixes, kind):
    assert run("in", "--out", "out", "--size", "20x30", *options) == 0
    crops = list(Path("out/crops").rglob("*_*"))
    assert len(crops) == 4 and {path.suffix for path in crops} == suffixes
    for path in crops:
        with Image.open(path) as image:
            assert image.size == (20, 30) and (kind is None or image.format == kind)
    assert {tuple(crop["file_size"]) for line in read_lines(Path("out")) for crop in line["crops"]} == {
        (20, 30)
    }


def test_lossless_crops_move_to_the_grid_and_say_so():
    noise = np.random.default_rng(0).integers(0, 256, (96, 150, 3), dtype=np.uint8)
    Image.fromarray(noise).save("noise.jpg", quality=80, subsampling=0)
    assert run("noise.jpg", "--out", "out", "--lossless", "--top-k", 1) == 0
    (crop,) = read_lines(Path("out"))[0]["crops"]
    assert crop["box"] == [72, 0, 147, 96] and crop["lossless"] is True
    with Image.open("noise.jpg") as photo, Image.open("out/crops/noise_1.jpg") as cut:
        np.testing.assert_array_equal(np.asarray(photo)[:, 72:147], np.asarray(cut))


def test_only_the_record():
    assert run("in", "--out", "out", "--no-crops") == 0
    assert _files() == {"crops.jsonl", "crops.csv", "run.json"}
    assert "file" not in read_lines(Path("out"))[0]["crops"][0]
    assert run("in", "--out", "more", "--no-crops", "--sheet", "--overlay") == 0
    assert _files("more") - _files() == {"sheet.png", "overlays/a_overlay.jpg", "overlays/sub/b_overlay.jpg"}


def test_the_table_has_a_row_for_each_crop(capsys):
    Path("in/z.jpg").touch()
    assert run("in", "--out", "out") == 1
    with open("out/crops.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["name"], row["rank"]) for row in rows] == [
        ("a.png", "1"),
        ("a.png", "2"),
        ("sub/b.jpg", "1"),
        ("sub/b.jpg", "2"),
        ("z.jpg", ""),
    ]
    assert rows[0] | {"path": "in/a.png", "file": "crops/a_1.png", "ratio": ""} == rows[0]
    numbers = [float(rows[0][name]) for name in COLUMNS[5:14]]
    assert numbers == [40, 0, 80, 60, 0.9, 75, 50, 80, 60]
    assert "zero bytes" in rows[4]["rejected"] and not rows[4]["x1"]


def test_record_and_table_grow_photo_by_photo(monkeypatch):
    for name in "cdefghijkl":
        draw_photo(Path("in") / f"{name}.png")
    seen, embed = [], HalfCropper.embed

    def look(self, photo, path, caption=None):
        record, table = Path("out/crops.jsonl"), Path("out/crops.csv")
        seen.append(
            (record.read_bytes().count(b"\n"), table.read_bytes().count(b"\n"))
            if record.is_file()
            else (0, 0)
        )
        return embed(self, photo, path, caption)

    monkeypatch.setattr(HalfCropper, "embed", look)
    monkeypatch.setattr(run_jobs, "_MOST_WRITERS", 1)
    assert run("in", "--out", "out", "--no-sheet") == 0
    behind = 3 + 1  # in threads or waiting, and the one in hand
    assert all(lines >= number - behind for number, (lines, _) in enumerate(seen)) and len(seen) == 12
    # a header and two rows a photo; the writer may go on between the two looks
    assert all(rows == 0 or 2 * lines - 1 <= rows <= 1 + 2 * (lines + behind) for lines, rows in seen)


def test_pictures_are_written_and_named_in_the_record():
    assert run("in", "--out", "out", "--overlay", "--before-after", "--no-crops") == 0
    assert [line["pictures"] for line in read_lines(Path("out"))] == [
        {"overlay": "overlays/a_overlay.jpg", "before_after": "before_after/a_1.jpg"},
        {"overlay": "overlays/sub/b_overlay.jpg", "before_after": "before_after/sub/b_1.jpg"},
    ]
    for name in ("overlays/a_overlay.jpg", "before_after/sub/b_1.jpg"):
        with Image.open(Path("out") / name) as image:
            assert image.format == "JPEG" and image.width > 100


@pytest.fixture
def attentive(monkeypatch):
    """The stand-in says where its crops looked; its model has an attention."""
    answer = HalfCropper.answer

    def attend(self, embedding, request, attention=False):
        result = answer(self, embedding, request)
        if attention:
            shares = np.array([0.25, np.nan])
            told = ReferenceAttention(np.array([3]), shares[:, None], 3 * shares, 0 * shares, 0 * shares)
            object.__setattr__(result, "attention", told)
        return result

    monkeypatch.setattr(HalfCropper, "answer", attend)
    monkeypatch.setattr(run_jobs, "_why_no_attention", lambda inferencer: "")


def test_explanations_hold_the_attention_and_survive_a_second_run(attentive):
    assert run("in/a.png", "--out", "out", "--explain") == 0
    (line,) = read_lines(Path("out"))
    assert line["attention"] == {
        "ids": [3],
        "references": [[0.25], [None]],
        "photo": [0.75, None],
        "text": [0.0, None],
        "null": [0.0, None],
    }
    with Image.open("out/explained/a_explained.png") as image:
        assert image.width == 1240
    assert "25.0 %" in Path("out/explained.html").read_text()
    assert run("in", "--out", "out", "--explain") == 0
    assert run("in", "--out", "whole", "--explain") == 0
    assert tree(Path("out")) == tree(Path("whole"))
    assert Path("whole/explained.html").read_text().count("<article") == 2


def test_explanations_of_several_ratios_and_folders_are_told_apart(attentive):
    assert run("in", "--out", "out", "--explain", "--ratio", "1:1", "4:5") == 0
    page = Path("out/explained.html").read_text()
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert titles == ["a.png  1:1", "a.png  4:5", "sub/b  1:1", "sub/b  4:5"]
    assert "2 photos, 4 sets of crops. The share" in page


def test_a_model_without_attention_says_why(monkeypatch):
    monkeypatch.setattr(
        run_jobs, "_why_no_attention", lambda inferencer: "no attention is shown: it has none"
    )
    assert run("in", "--out", "out", "--explain") == 0
    assert read_lines(Path("out"))[0]["attention"] is None
    assert "no attention is shown: it has none" in Path("out/explained.html").read_text()


def test_a_dry_run_lists_what_would_be_written_and_loads_no_model(capsys):
    Path("in/z.jpg").touch()
    words = ["in", "--out", "out", "--ratio", "1:1", "4:5", "--top-k", 1]
    assert run(*words, "--dry-run") == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "in/a.png\tout/crops/1x1/a_1.png",
        "in/a.png\tout/crops/4x5/a_1.png",
        "in/sub/b.jpg\tout/crops/1x1/sub/b_1.jpg",
        "in/sub/b.jpg\tout/crops/4x5/sub/b_1.jpg",
    ]
    assert "rejected: in/z.jpg: the file is empty" in said.err
    assert "2 photos to crop, 1 crops each in 2 ratios, 1 to be rejected" in said.err
    assert HalfCropper.made == [] and not Path("out").exists()
    Path("in/z.jpg").unlink()
    assert run(*words) == 0
    assert {f"out/{name}" for name in _files() if name.startswith("crops/")} == {
        line.split("\t")[1] for line in said.out.splitlines()
    }
    draw_photo(Path("in/new.png"))
    before = tree(Path("out"))
    capsys.readouterr()
    assert run(*words, "--dry-run") == 0 and tree(Path("out")) == before
    said = capsys.readouterr()
    assert [line.split("\t")[0] for line in said.out.splitlines()] == ["in/new.png"] * 2
    assert "1 photos to crop, 1 crops each in 2 ratios, 2 done already" in said.err
