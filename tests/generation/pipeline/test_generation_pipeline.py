"""From photos to a dataset: what comes out, that it comes out the same, and what is made again."""

import json
import math
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from tiny_steps import SIZE, STEPS, contents, draw_photos, rows, settings

from procrop.generation.pipeline import generate, part_of
from procrop.generation.run_folder import KIND, VERSION
from procrop.io.manifest import read_manifest, verify_manifest
from procrop.registry import DATASETS

NAMES = ["a", "b", "sub/c", "sub/d", "e"]


@pytest.fixture
def photos(tmp_path):
    return draw_photos(tmp_path / "photos", NAMES)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log"
    return lambda name: Counter(line.split()[0] for line in path.read_text().splitlines())[name]


def logged(tmp_path, **changes):
    log = dict(log=str(tmp_path / "log"))
    return {name: {**log, **changes.get(name, {})} for name in STEPS if name.startswith("Tiny")}


def test_what_a_dataset_holds(photos, tmp_path):
    done = generate(settings(photos, val_share=0.3, test_share=0.2), tmp_path / "out")
    assert (done.made, done.items, done.dataset.items, done.dataset.photos) == (15, 15, 15, 5)
    assert done.dataset.splits == {"train": (2, 6), "val": (2, 6), "test": (1, 3)}
    assert done.dataset.licences == {"CC0-1.0": 2, "CC BY-SA 3.0": 3}
    found = rows(tmp_path / "out")
    assert [row["photo"] for row in found[:4]] == ["a_0.jpg", "a_1.jpg", "a_2.jpg", "b_0.jpg"]
    row = next(row for row in found if row["photo"] == "sub_c_1.jpg")
    # the gallery's name of the source photo, so that it can be kept from being a reference
    assert row["source_id"] == "sub/c" and row["size"] == [SIZE[0] + 20, SIZE[1] + 20]
    (crop,) = row["crops"]
    x1, y1, x2, y2 = crop["box"]
    assert crop["score"] == 5.0 and (x2 - x1, y2 - y1) == SIZE
    extra = row["extra"]
    assert extra["source"] | {"sha256": ""} == {
        "collection": "Folder",
        "photo": "sub/c.png",
        "sha256": "",
        "licence": "CC BY-SA 3.0",
        "title": "No. 2",
        "author": "A. Painter",
    }
    assert (extra["seed"], extra["variant"], extra["stand_ins"]) == (0, 1, ["TinyPainter"])
    assert list(extra["components"]) == sorted(STEPS)
    # the subject of the photo, a quarter to three quarters of its width, on the canvas
    assert extra["subject"] == [x1 + SIZE[0] / 4, y1 + SIZE[1] / 4, x1 + SIZE[0] * 3 / 4, y1 + SIZE[1] / 2]
    for left, top, right, bottom in extra["initial_crops"]:
        assert 0 <= left <= x1 and 0 <= top <= y1 and x2 <= right <= 68 and y2 <= bottom <= 52


def test_files_beside_the_annotations(photos, tmp_path):
    out = tmp_path / "out"
    generate(settings(photos), out)
    manifest = read_manifest(out, KIND, VERSION)
    assert verify_manifest(out) == [] and len(manifest["files"]) == 15 + 5
    assert manifest["extra"]["stand_ins"] == ["TinyPainter"]
    with Image.open(out / "images" / "a_0.jpg") as image:
        assert image.format == "JPEG" and image.layer[0][1:3] == image.layer[1][1:3] == (1, 1)  # 4:4:4
    card = (out / "datacard.md").read_text()
    assert "Made with stand-ins: `TinyPainter`" in card and "| CC BY-SA 3.0 | 3 |" in card
    assert "| RandomCrops | – |" in card and "| train | 4 | 12 |" in card and "| val | 1 | 3 |" in card
    table = (out / "attribution.tsv").read_text().splitlines()
    assert table[0].split("\t") == ["source_id", "photo", "title", "author", "licence", "url"]
    assert table[2].split("\t") == ["b", "b.png", "No. 1", "A. Painter", "CC0-1.0", ""]
    analyses = [json.loads(line) for line in (out / "analyses.jsonl").read_text().splitlines()]
    assert [entry["source_id"] for entry in analyses] == ["a", "b", "e", "sub/c", "sub/d"]
    assert analyses[0]["analysis"]["within"]["subject"] == "a thing"


def test_the_dataset_class_reads_the_same_boxes(photos, tmp_path):
    generate(settings(photos), tmp_path / "out")
    lines = {row["photo"][:-4]: row for row in rows(tmp_path / "out")}
    seen = 0
    for split in ("train", "val"):
        dataset = DATASETS.build(
            dict(type="CADDataset", data_root=str(tmp_path / "out"), split=split, pipeline=[])
        )
        for info in map(dataset.get_data_info, range(len(dataset))):
            row = lines[info["img_id"]]
            assert row["split"] == split and info["source_id"] == row["source_id"]
            assert info["gt_bboxes"].tolist() == [row["crops"][0]["box"]] and info["gt_scores"] == [5]
            assert info["initial_crops"].tolist() == row["extra"]["initial_crops"]
            seen += 1
    assert seen == 15


def test_the_photo_on_the_disk_is_the_steps_image_encoded_once(photos, tmp_path):
    generate(settings(photos, quality=100), tmp_path / "out")
    kept = np.array(Image.open(next((tmp_path / "out/work/TinyPainter").rglob("b_1.image.png"))))
    written = np.array(Image.open(tmp_path / "out/images/b_1.jpg")).astype(int)
    assert np.abs(written - kept).max() <= 4  # quality 100: nothing but rounding
    (row,) = (row for row in rows(tmp_path / "out") if row["photo"] == "b_1.jpg")
    x1, y1, x2, y2 = row["crops"][0]["box"]
    assert np.array_equal(kept[y1:y2, x1:x2], np.array(Image.open(photos / "b.png")))


def test_equal_work_gives_equal_bytes_and_is_done_once(photos, tmp_path, log):
    made = settings(photos, changes=logged(tmp_path))
    generate(made, tmp_path / "one")
    assert (log("TinyAnalyzer"), log("TinyPainter")) == (5, 15)  # once a photo, once an expansion
    generate(made, tmp_path / "two")
    first = contents(tmp_path / "one")
    assert contents(tmp_path / "two") == first
    assert generate(made, tmp_path / "one").made == 0
    assert contents(tmp_path / "one") == first and log("TinyPainter") == 30
    # another seed is another set
    generate(settings(photos, changes=logged(tmp_path), seed=1), tmp_path / "three")
    other = contents(tmp_path / "three")
    assert all(first[name] != other[name] for name in first if name.endswith(".jpg"))


def test_an_expansion_hangs_on_its_photo_alone(photos, tmp_path):
    """More photos or more expansions change nothing of those that are there."""
    generate(settings(photos, expansions=2), tmp_path / "few", limit=2)
    done = generate(settings(photos), tmp_path / "few")
    generate(settings(photos), tmp_path / "all")
    few, every = contents(tmp_path / "few"), contents(tmp_path / "all")
    assert done.made == 11 and few == every


def test_parts_joined_are_one_run(photos, tmp_path):
    made = settings(photos)
    generate(made, tmp_path / "whole")
    parts = [generate(made, tmp_path / "parts", part=part, parts=3) for part in (2, 0, 1)]
    assert sum(done.made for done in parts) == 15 and {done.dataset for done in parts} == {None}
    assert not (tmp_path / "parts/manifest.json").exists()
    assert generate(made, tmp_path / "parts").made == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_copies_of_a_photo_are_in_one_split(tmp_path):
    """Else the model is tested on what it was trained on."""
    photos = draw_photos(tmp_path / "photos", [f"p{n}" for n in range(6)])
    (photos / "best").mkdir()
    for n in range(6):
        shutil.copy(photos / f"p{n}.png", photos / f"best/{5 - n}.png")
    done = generate(settings(photos, val_share=0.3, test_share=0.3, expansions=1), tmp_path / "out").dataset
    assert done.splits == {"train": (4, 4), "val": (4, 4), "test": (4, 4)}
    split = {row["source_id"]: row["split"] for row in rows(tmp_path / "out")}
    assert all(split[f"p{n}"] == split[f"best/{5 - n}"] for n in range(6)) and len(split) == 12


def test_parts_are_about_equal_and_hang_on_names_alone():
    class Named:
        def __init__(self, name):
            self.id = name

    counts = Counter(part_of(Named(f"photo {n}"), 4) for n in range(4000))
    assert sorted(counts) == [0, 1, 2, 3] and max(counts.values()) < 1000 + 5 * math.sqrt(750)


def test_what_is_dropped_is_told_by_step_and_reason(tmp_path):
    photos = draw_photos(tmp_path / "photos", ["a", "bad", "c"])
    (photos / "d.jpg").write_bytes(b"no photo at all")
    made = settings(photos, changes=dict(TinyFilter=dict(drop=[1])))
    counts = generate(made, tmp_path / "out").dataset
    lines = [json.loads(line) for line in (tmp_path / "out/rejected.jsonl").read_text().splitlines()]
    assert lines == counts.rejected and counts.items == 4
    small = {"step": "TinyFilter", "reason": "figure 1.5 is too small"}
    assert lines[0] == {"photo": "a.png", "key": "a_1", **small}
    assert [line["key"] for line in lines[1:4]] == ["bad_0", "bad_1", "bad_2"]
    assert lines[-1]["photo"] == "d.jpg" and lines[-1]["step"] == "reading" and "key" not in lines[-1]
    assert "no image of a known format" in lines[-1]["reason"]
    card = (tmp_path / "out/datacard.md").read_text()
    assert "| TinyFilter | figure # is too small | 5 |" in card and "| reading |" in card
    # a threshold that lets them pass brings them back, and an item that is dropped now loses its photo
    generate(settings(photos, changes=dict(TinyFilter=dict(drop=[0]))), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out/images").iterdir()) == [
        "a_1.jpg",
        "a_2.jpg",
        "c_1.jpg",
        "c_2.jpg",
    ]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        (dict(RandomCrops=dict(number=2)), (0, 0, 0)),
        (dict(TinyFilter=dict(version=1)), (0, 0, 0)),
        (dict(TinyComposition=dict(version=1)), (0, 0, 0)),
        (dict(TinyPainter=dict(version=1)), (0, 0, 15)),
        (dict(TinyMasks=dict(version=1)), (0, 5, 15)),
        (dict(TinyAnalyzer=dict(version=1)), (5, 0, 15)),
        (dict(TinyCanvas=dict(version=1)), (0, 0, 15)),
        (dict(), (0, 0, 0)),
    ],
)
def test_a_changed_step_remakes_what_hangs_on_it(photos, tmp_path, log, changed, again):
    steps = ("TinyAnalyzer", "TinyMasks", "TinyPainter")
    generate(settings(photos, changes=logged(tmp_path)), tmp_path / "out")
    before = [log(name) for name in steps]
    changes = logged(tmp_path, **changed) | {k: v for k, v in changed.items() if k == "RandomCrops"}
    done = generate(settings(photos, changes=changes), tmp_path / "out")
    assert tuple(log(name) - n for name, n in zip(steps, before, strict=True)) == again
    assert done.made == (15 if changed else 0)
    generate(settings(photos, changes=changes), tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_another_seed_keeps_what_draws_nothing(photos, tmp_path, log):
    generate(settings(photos, changes=logged(tmp_path)), tmp_path / "out")
    generate(settings(photos, changes=logged(tmp_path), seed=1), tmp_path / "out")
    assert (log("TinyMasks"), log("TinyAnalyzer"), log("TinyPainter")) == (5, 10, 30)


def test_a_changed_or_removed_photo(photos, tmp_path, log):
    made = settings(photos, changes=logged(tmp_path))
    generate(made, tmp_path / "out")
    Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(photos / "b.png")
    (photos / "e.png").unlink()
    done = generate(made, tmp_path / "out")
    assert done.made == 3 and done.dataset.items == 12 and log("TinyPainter") == 18
    assert not list((tmp_path / "out/images").glob("e_*"))
    # a finished photo that was damaged is made again
    (tmp_path / "out/images/a_0.jpg").write_bytes(b"")
    assert generate(made, tmp_path / "out").made == 1 and verify_manifest(tmp_path / "out") == []
