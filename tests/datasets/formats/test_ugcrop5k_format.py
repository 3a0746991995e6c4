"""UGCrop5K in GAICD's layout: lines, splits, bad files, writing."""

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

UGCROP = get_format("ugcrop5k")
LINES = "0 5 40 60 3.5\n\n0 0 30 40 -2\n5 0 45 60 0.86\n"


@pytest.fixture
def root(tmp_path):
    """a (test, a .png) and b (train) with flat annotations, c in annotations/val without a photo."""
    (tmp_path / "annotations" / "val").mkdir(parents=True)
    for name, split in (("a.png", "test"), ("b.jpg", "train")):
        (tmp_path / "images" / split).mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(tmp_path / "images" / split / name)
        (tmp_path / "annotations" / f"{name[0]}.txt").write_text(LINES)
    (tmp_path / "annotations" / "val" / "c.txt").write_text("\ufeff" + LINES.replace("\n", "\r\n"))
    return tmp_path


def test_lines_and_splits(root):
    assert [(r.img_id, r.photo) for r in UGCROP.read(root).records] == [
        ("b", "train/b.jpg"),
        ("a", "test/a.png"),
        ("c", "val/c.jpg"),
    ]
    (record,) = UGCROP.read(root, "test").records
    assert record.boxes.tolist() == [[5, 0, 60, 40], [0, 5, 60, 45]] and record.scores.tolist() == [3.5, 0.86]
    (root / "splits").mkdir()
    (root / "splits" / "val.txt").write_text("c.jpg\n")
    assert [record.img_id for record in UGCROP.read(root, "val").records] == ["c"]
    dataset = DATASETS.build(dict(type="UGCrop5KDataset", data_root=str(root), split="test", test_mode=True))
    assert dataset.get_data_info(0)["gt_positives"].tolist() == [True, False]


@pytest.mark.parametrize(
    "line, reason",
    [
        ("1 2 3", r"a.txt:5: not 5 numbers"),
        ("0 0 nan 9 3", "NaN"),
        ("0 0 9 9 6", "MOS outside 0 to 5"),
        ("9 0 9 9 3", "crop without area"),
        ("0 0 9 9 inf", "MOS outside"),
    ],
)
def test_bad_lines_are_named_or_left_out(root, line, reason):
    (root / "annotations" / "a.txt").write_text(f"{LINES}{line}\n")
    with pytest.raises(AnnotationError, match=reason):
        UGCROP.read(root, "test")
    assert len(UGCROP.read(root, "test", strict=False).records[0].boxes) == 2


def test_what_is_missing(root, tmp_path_factory):
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("b\ngone\n../b\n")
    (root / "annotations" / "b.txt").write_text("0 0 9 9 -2\n")
    found = UGCROP.read(root, strict=False)
    assert {record.img_id for record in found.records} == {"a", "c"}
    assert set(found.problems.by_reason()) == {
        "annotation missing",
        "name that leaves the dataset's folders",
        "no scored crop in the file",
    }
    with pytest.raises(DatasetNotFoundError, match="not published yet"):
        UGCROP.read(tmp_path_factory.mktemp("empty"))


def test_written_files_read_the_same(root, tmp_path):
    found, problems = UGCROP.read(root), Problems()
    UGCROP.save(found, tmp_path / "out", "test", problems)
    again = UGCROP.read(tmp_path / "out", "test")
    assert not problems.entries and [record.img_id for record in again.records] == ["b", "a", "c"]
    for one, other in zip(found.records, again.records, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
    boxes = [[0, 0, 9.123456789, 9]]
    records = [CropRecord("s/x", "s/x.png", boxes), CropRecord("s_x", "x.png", boxes, [7])]
    UGCROP.save(CropSet("", records, tmp_path), tmp_path / "two", None, problems)
    (record,) = UGCROP.read(tmp_path / "two").records
    assert (record.img_id, record.scores.tolist()) == ("s_x", [5]) and len(problems.by_reason()) == 2
    np.testing.assert_array_equal(record.boxes, boxes)
    assert UGCROP.places(records[0]) == {"s/x.png": "images/train/s_x.png"}
