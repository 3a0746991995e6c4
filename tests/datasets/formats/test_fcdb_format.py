"""FCDB's files: what is read, what is refused, what is written, and the real ones."""

import json

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

FCDB = get_format("fcdb")
TRAIN, TEST = "cropping_training_set.json", "cropping_testing_set.json"


def entry(name="1_a.jpg", crop=(10, 20, 30, 40), **fields):
    return {
        "url": f"https://farm5.example.com/4096/{name}",
        "flickr_photo_id": 1,
        "crop": list(crop),
    } | fields


def write(root, *entries, file=TRAIN):
    (root / file).write_text(json.dumps(entries))
    return root


def test_entries_of_both_files(tmp_path):
    write(tmp_path, entry("b_c.jpg?zz=1#x"), entry("a%20b.jpg", (0.5, 0, 1, 2)))
    write(tmp_path, entry("1_a.jpg"), file=TEST)
    found = FCDB.read(tmp_path)
    assert [(r.img_id, r.photo, r.extra["split"]) for r in found.records] == [
        ("b_c", "b_c.jpg", "train"),
        ("a b", "a b.jpg", "train"),
        ("1_a", "1_a.jpg", "test"),
    ]
    assert [r.boxes.tolist() for r in found.records[:2]] == [[[10, 20, 40, 60]], [[0.5, 0, 1.5, 2]]]
    first = found.records[0]
    assert first.scores is None and first.extra["flickr_photo_id"] == 1
    assert found.photo_path(first) == tmp_path / "images/b_c.jpg"
    assert len(FCDB.read(tmp_path, "test")) == 1


def test_a_byte_order_mark_and_line_ends_do_no_harm(tmp_path):
    text = json.dumps([entry()], indent=4).replace("\n", "\r\n")
    (tmp_path / TEST).write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(FCDB.read(tmp_path)) == len(FCDB.read(tmp_path, "test")) == 1


FAULTS = {
    "short": (entry(crop=[1, 2, 3]), "not 4 numbers"),
    "long": (entry(crop=[1, 2, 3, 4, 5]), "not 4 numbers"),
    "words": (entry(crop=[1, 2, 3, "4"]), "not 4 numbers"),
    "text": (entry() | {"crop": "1 2 3 4"}, "not 4 numbers"),
    "no crop": ({"url": "a.jpg"}, "not 4 numbers"),
    "NaN": (entry(crop=[1, 2, float("nan"), 4]), "NaN"),
    "infinite": (entry(crop=[1, 2, float("inf"), 4]), "NaN"),
    "large": (entry(crop=[1, 2, 10**400, 4]), "not 4 numbers"),
    "no width": (entry(crop=[1, 2, 0, 4]), "without area"),
    "negative height": (entry(crop=[1, 2, 3, -4]), "without area"),
    "outside": (entry(crop=[-9, 2, 30, 4]), "outside its photo"),
    "parent": (entry("%2e%2e%2fa.jpg"), "leaves the dataset's folders"),
    "dots": (entry(".."), "leaves the dataset's folders"),
    "absolute": (entry("%2fetc%2fpasswd"), "leaves the dataset's folders"),
    "backslash": (entry("a\\b.jpg"), "leaves the dataset's folders"),
    "no URL": ({"crop": [1, 2, 3, 4]}, "no file name"),
    "no name": (entry(url="https://example.com/"), "no file name"),
    "no address": (entry(url="http://[/a.jpg"), "no file name"),
    "number": (3, "not an object"),
    "twice": (entry(), "listed twice"),
}


@pytest.mark.parametrize(("bad", "reason"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named_or_left_out(tmp_path, bad, reason):
    root = write(tmp_path, entry(), bad)
    place = r"\('1_a'\)" if reason == "listed twice" else rf"{TRAIN} \(entry 2\)"
    with pytest.raises(AnnotationError, match=rf"{place}.*: .*{reason}"):
        FCDB.read(root)
    found = FCDB.read(root, strict=False)
    assert [record.img_id for record in found.records] == ["1_a"] and len(found.problems) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\n\n", "not JSON"),
        (b"[1,\n2,\n}", "not JSON .*line 3"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "not a list"),
        (b"[]", "no usable record"),
    ],
)
def test_files_that_hold_something_else(tmp_path, content, reason):
    (tmp_path / TRAIN).write_bytes(content)
    with pytest.raises(AnnotationError, match=reason):
        FCDB.read(tmp_path)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="flickr-cropping-dataset"):
        FCDB.read(tmp_path)
    write(tmp_path, entry())
    with pytest.raises(DatasetNotFoundError, match=f"{TEST} missing"):
        FCDB.read(tmp_path, "test")
    with pytest.raises(ValueError, match="no split 'val'"):
        FCDB.read(tmp_path, "val")


def test_written_files_read_the_same(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", entry("b.jpg"), entry("a.jpg", (0.5, 0, 1, 2.25)))
    write(tmp_path / "in", entry("c%3Fd.jpg"), file=TEST)
    found, problems = FCDB.read(tmp_path / "in"), Problems()
    FCDB.save(found, tmp_path / "out", None, problems)
    again = FCDB.read(tmp_path / "out")
    assert not problems.entries
    for one, other in zip(found.records, again.records, strict=True):
        assert (one.img_id, one.photo, one.extra) == (other.img_id, other.photo, other.extra)
        np.testing.assert_array_equal(one.boxes, other.boxes)
    for file in (TRAIN, TEST):
        assert json.loads((tmp_path / "out" / file).read_text()) == json.loads(
            (tmp_path / "in" / file).read_text()
        )


def test_other_sets_are_written_flat_and_losses_are_told(tmp_path):
    boxes = [[0, 0, 9, 9], [1, 2, 9, 9]]
    made = [
        CropRecord("train/a?1#%41", "train/a?1.png", boxes, [1, 2], extra={"split": "val"}),
        CropRecord("none", "none.jpg", []),
        CropRecord("\udc80", "\udc80.png", boxes, extra={"split": "test", "licence": "CC0"}),
    ]
    problems = Problems()
    FCDB.save(CropSet("x", made, tmp_path), tmp_path, None, problems)
    first, second = FCDB.read(tmp_path).records
    assert (first.img_id, first.photo, first.extra["split"]) == (
        "train_a?1#%41",
        "train_a?1#%41.png",
        "train",
    )
    assert first.boxes.tolist() == [[1, 2, 9, 9]] and second.boxes.tolist() == [[0, 0, 9, 9]]
    assert (second.img_id, second.photo) == ("\udc80", "\udc80.png")
    assert FCDB.places(made[0]) == {"train/a?1.png": f"images/{first.photo}"}
    assert {reason: len(places) for reason, places in problems.by_reason().items()} == {
        "FCDB has no place for scores": 1,
        "FCDB has no place for further fields": 1,
        "FCDB has no other splits than train and test; written to train": 1,
        "no crop; the record is left out": 1,
        "FCDB has place for one crop a photo; the others are left out": 2,
    }
    FCDB.save(CropSet("x", made[:1], tmp_path), tmp_path, "test", Problems())
    assert [record.img_id for record in FCDB.read(tmp_path, "test").records] == [first.img_id]


def test_photos_that_are_gone_are_counted(tmp_path):
    write(tmp_path, entry("a.jpg"), entry("b.jpg"))
    config = dict(type="FCDBDataset", data_root=str(tmp_path), split="train", test_mode=True)
    with pytest.raises(AnnotationError, match="a.jpg: photo missing"):
        DATASETS.build(config)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (100, 60)).save(tmp_path / "images/b.jpg")
    dataset = DATASETS.build(config)
    info = dataset.get_data_info(0)
    assert len(dataset) == 1 and dataset.report == {"photo missing": [str(tmp_path / "images/a.jpg")]}
    assert info["gt_bboxes"].tolist() == [[10, 20, 40, 60]] and info["gt_positives"].tolist() == [True]


@pytest.mark.realdata
def test_real_files(procrop_data, tmp_path):
    root = procrop_data / "fcdb"
    for split, file, count in (("train", TRAIN, 1369), ("test", TEST, 345)):
        entries = json.loads((root / file).read_text())
        found, problems = FCDB.read(root, split), Problems()
        assert len(found) == len(entries) == count
        for record, naive in zip(found.records, entries, strict=True):
            x, y, w, h = naive["crop"]
            assert record.boxes.tolist() == [[x, y, x + w, y + h]]
            assert record.photo == naive["url"].rsplit("/", 1)[1]
            assert record.img_id == record.photo.removesuffix(".jpg")
            assert record.extra["flickr_photo_id"] == naive["flickr_photo_id"]
        FCDB.save(found, tmp_path, None, problems)
        assert not problems.entries and json.loads((tmp_path / file).read_text()) == entries
    assert len(FCDB.read(root)) == len(FCDB.read(root).missing_photos()) == 1369 + 345
