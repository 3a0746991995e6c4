"""A dataset of windows: what stands in it, what is left out, and that its bytes hang on nothing but its settings."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from plain_teacher import PlainTeacher, contents, draw_photos, lines_of, settings

from procrop.datasets.formats import get_format
from procrop.datasets.splits import seeded_split
from procrop.generation.errors import GenerationError
from procrop.generation.windows import teach
from procrop.generation.windows.drawing import draw_windows
from procrop.io.manifest import verify_manifest

AUTHORS = {"b/one": "Ann", "b/two": "Bob", "three": "Ann", "four": None, "five": "Cem"}


@pytest.fixture
def photos(tmp_path):
    return draw_photos(tmp_path / "photos", AUTHORS)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_views_are_the_photo_and_its_windows_with_the_teachers_crops(photos, out):
    done = teach(settings(long_side=64), photos, out)
    assert done.made == 20 and sum(done.views.values()) == 20 and not done.left_out
    pixels = np.array(Image.open(photos / "b/one.png"))
    windows = draw_windows((160, 120), PlainTeacher().subject_map(pixels), settings(), "b/one")
    lines = lines_of(out)
    for number, window in enumerate([[0, 0, 160, 120], *windows.tolist()]):
        line = lines[f"b_one_{number}.jpg"]
        assert line["source_id"] == "b/one" and line["extra"]["window"] == window
        assert line["extra"]["source"] == {"photo": "b/one.png", "author": "Ann", "licence": "CC0-1.0"}
        x1, y1, x2, y2 = window
        cut = pixels[y1:y2, x1:x2]
        width, height = line["size"]
        assert max(width, height) == 64 and abs(width / height - (x2 - x1) / (y2 - y1)) < 0.03
        wanted = PlainTeacher()(cut, "b/one").boxes * [width, height, width, height]
        np.testing.assert_allclose([crop["box"] for crop in line["crops"]], wanted)
        assert [crop["score"] for crop in line["crops"]] == [5.0, 4.0]
        image = np.array(Image.open(out / "images" / line["photo"]), float)
        assert image.shape == (height, width, 3)
        small = np.array(Image.fromarray(cut).resize((width, height), Image.Resampling.BOX), float)
        assert np.abs(image - small).mean() < 12


def test_small_photos_are_not_enlarged(photos, out):
    teach(settings(), photos, out)
    assert lines_of(out)["b_one_0.jpg"]["size"] == [160, 120]


def test_the_dataset_can_be_read_and_its_manifest_holds(photos, out):
    done = teach(settings(), photos, out)
    for split, views in done.views.items():
        assert len(get_format("jsonl").read(out, split).records) == views
    assert verify_manifest(out) == []
    assert json.loads((out / "manifest.json").read_text())["extra"]["settings"]["windows"] == 3


def test_all_photos_of_an_author_are_in_one_split(photos, out):
    done = teach(settings(val_share=0.5), photos, out)
    split = {line["source_id"]: line["split"] for line in lines_of(out).values()}
    assert len(split) == 5 and split["b/one"] == split["three"]
    groups = {"author Ann": "three", "author Bob": "b/two", "author Cem": "five", "photo four": "four"}
    held, _ = seeded_split(groups, 2, 0)
    assert {name for name in groups if split[groups[name]] == "val"} == set(held)
    assert done.photos == {s: list(split.values()).count(s) for s in ("train", "val")}


def test_another_seed_gives_other_windows_and_the_same_split(photos, out, tmp_path):
    teach(settings(), photos, out)
    teach(settings(seed=1), photos, tmp_path / "other")
    one, other = lines_of(out), lines_of(tmp_path / "other")
    assert {name: line["split"] for name, line in one.items()} == {
        n: line["split"] for n, line in other.items()
    }
    windows = [[line["extra"]["window"] for line in lines.values()] for lines in (one, other)]
    assert sum(a == b for a, b in zip(*windows, strict=True)) == 5  # the whole photos


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(photos, out, tmp_path, monkeypatch):
    teach(settings(), photos, tmp_path / "at once")
    monkeypatch.setattr(PlainTeacher.__init__, "__defaults__", (0, 2))
    with pytest.raises(KeyboardInterrupt):
        teach(settings(), photos, out)
    monkeypatch.setattr(PlainTeacher.__init__, "__defaults__", (0, None))
    assert len(list((out / "images").iterdir())) == 8 and not (out / "manifest.json").exists()
    # as a kill in the middle of writing leaves it, and a damaged disk
    (out / "images" / ".four_0.jpg.123.tmp").write_bytes(b"half")
    (out / "images" / "b_one_1.jpg").write_bytes(b"")
    assert teach(settings(), photos, out).made == 16  # three photos, and that with the damaged file
    assert contents(out) == contents(tmp_path / "at once")


def test_what_is_up_to_date_is_left_alone(photos, out, monkeypatch):
    teach(settings(), photos, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    monkeypatch.setattr(PlainTeacher, "subject_map", None)
    assert teach(settings(), photos, out).made == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


def test_photos_that_come_and_go(photos, out, tmp_path):
    teach(settings(), photos, out)
    (photos / "five.png").unlink()
    shutil.copy(photos / "four.png", photos / "six.png")
    done = teach(settings(), photos, out)
    assert done.made == 4 and sum(done.views.values()) == 20
    names = {path.name for path in (out / "images").iterdir()}
    assert names == set(lines_of(out)) and "six_0.jpg" in names and "five_0.jpg" not in names
    assert verify_manifest(out) == []


def test_bad_photos_are_left_out_and_listed(photos, out):
    (photos / "broken.png").write_bytes(b"no photo")
    Image.new("RGB", (160, 120), (10, 10, 10)).save(photos / "plain.png")
    done = teach(settings(), photos, out)
    assert sum(done.views.values()) == 20 and len(done.left_out) == 2
    reasons = dict(done.left_out)
    assert "no image of a known format" in reasons["broken.png"]
    assert "nothing stands out" in reasons["plain.png"]
    assert "broken_0.jpg" not in lines_of(out)
    assert json.loads((out / "manifest.json").read_text())["extra"]["left_out"] == [
        [name, reasons[name]] for name in sorted(reasons)
    ]


def test_photos_with_fewer_windows_are_listed(photos, out):
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[::119, ::159, 0] = 255  # red corners: no smaller window holds them
    Image.fromarray(pixels).save(photos / "corners.png")
    done = teach(settings(least_subject=0.9), photos, out)
    assert done.left_out == [("corners.png", "windows: few windows hold 90% of the subject (3 of 4 views)")]
    assert [name for name in lines_of(out) if name.startswith("corners")] == ["corners_0.jpg"]
    assert sum(done.views.values()) == 21


def test_without_any_photo_left_there_is_no_dataset(tmp_path, out):
    photos = draw_photos(tmp_path / "photos", {"a": None})
    (photos / "a.png").write_bytes(b"")
    with pytest.raises(GenerationError, match=r"no photo is left \(first: a.png: reading: .*empty"):
        teach(settings(), photos, out)
    assert not (out / "manifest.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(windows=4), "windows = 3, now it is 4"),
        (dict(seed=1), "seed = 0, now it is 1"),
        (dict(teacher=dict(type="PlainTeacher", version=1)), "teacher"),
    ],
)
def test_another_setting_is_refused(photos, out, change, words):
    teach(settings(), photos, out)
    before = contents(out)
    with pytest.raises(GenerationError, match=f"was made with .*{words}.*remove this one"):
        teach(settings(**change), photos, out)
    assert contents(out) == before


def test_a_teacher_that_changed_under_the_same_name_is_refused(photos, out, monkeypatch):
    teach(settings(), photos, out)
    monkeypatch.setattr(PlainTeacher.__init__, "__defaults__", (7, None))
    with pytest.raises(GenerationError, match="fingerprint = plain 0, now it is plain 7"):
        teach(settings(), photos, out)


@pytest.mark.slow
def test_workers_make_the_same_bytes(photos, out, tmp_path):
    teach(settings(), photos, tmp_path / "one")
    assert teach(settings(), photos, out, workers=2).made == 20
    assert contents(out) == contents(tmp_path / "one")


def test_a_folder_of_other_things_is_refused(photos, out):
    out.mkdir()
    (out / "thesis.doc").write_text("")
    with pytest.raises(GenerationError, match="holds other files"):
        teach(settings(), photos, out)
    with pytest.raises(GenerationError, match="in the folder of the source photos"):
        teach(settings(), photos, photos / "out")


def test_more_crops_than_scores_are_refused(photos, out):
    with pytest.raises(GenerationError, match="2 crops of the teacher, but 1 scores"):
        teach(settings(scores=[5.0]), photos, out)


@pytest.mark.parametrize(
    "change",
    [dict(windows=-1), dict(shapes=(2, 1)), dict(smallest=0), dict(least_subject=1.1), dict(long_side=8)]
    + [dict(quality=0), dict(scores=()), dict(val_share=1.0)],
    ids=lambda change: next(iter(change)),
)
def test_values_out_of_range_are_refused(change):
    with pytest.raises(GenerationError, match=f"{next(iter(change))} must be"):
        settings(**change)
