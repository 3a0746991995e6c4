"""UGCrop5K in GAICD's layout: lines, splits, bad files, writing."""

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import AnnotationError, DatasetNotFoundError
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
        ("c", "val/c.jpg"),
        ("a", "test/a.png"),
    ]
    (record,) = UGCROP.read(root, "test").records
    assert record.boxes.tolist() == [[5, 0, 60, 40], [0, 5, 60, 45]] and record.scores.tolist() == [3.5, 0.86]
    (root / "splits").mkdir()
    (root / "splits" / "val.txt").write_text("c.jpg\n")
    assert [record.img_id for record in UGCROP.read(root, "val").records] == ["c"]
    dataset = DATASETS.build(dict(type="UGCrop5KDataset", data_root=str(root), split="test", test_mode=True))
    assert dataset.get_data_info(0)["gt_positives"].tolist() == [True, False]


def test_a_bad_line_is_named_or_left_out(root):
    (root / "annotations" / "a.txt").write_text(f"{LINES}0 0 9 9 6\n")
    with pytest.raises(AnnotationError, match="a.txt:5: MOS outside"):
        UGCROP.read(root, "test")
    assert len(UGCROP.read(root, "test", strict=False).records[0].boxes) == 2


@pytest.mark.parametrize("split", [None, "train"])
def test_files_that_are_not_there(tmp_path, split):
    with pytest.raises(DatasetNotFoundError, match="UGCrop5K was not found") as caught:
        UGCROP.read(tmp_path, split)
    assert "not published yet" in str(caught.value) and "GAICD v2" not in str(caught.value)


def test_written_files_read_the_same(root, tmp_path):
    found, problems = UGCROP.read(root), Problems()
    UGCROP.save(found, tmp_path / "out", "test", problems)
    again = UGCROP.read(tmp_path / "out", "test")
    assert not problems.entries and [record.img_id for record in again.records] == ["b", "c", "a"]
    for one, other in zip(found.records, again.records, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
