"""HCIC's JSON files: the ways of writing crops, people, splits, bad entries, writing."""

import json

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

HCIC = get_format("hcic")
GAICD = {
    "a.jpg": {"bbox": [[0, 0, 50, 40], [10, 0, 60, 40]], "score": [3.5, 2]},
    "b.jpg": {"bbox": [[1, 2, 3, 4]], "score": [5]},
}
HUMANS = {"a.jpg": [20, 5, 30, 35]}
SPLIT = {"train": ["b.jpg"], "test": ["a.jpg"]}


def write(root, crops, humans=None, split=None, split_name="original_data_split.json"):
    root.mkdir(exist_ok=True)
    for name, value in (("image_crop.json", crops), ("human_bboxes.json", humans), (split_name, split)):
        if value is not None:
            (root / name).write_text(value if isinstance(value, str) else json.dumps(value))
    return root


def test_scored_crops_people_and_splits(tmp_path):
    root = write(tmp_path, GAICD, HUMANS, SPLIT)
    train, test = HCIC.read(root).records
    assert (train.img_id, test.img_id) == ("b", "a")
    assert test.boxes.tolist() == GAICD["a.jpg"]["bbox"] and test.scores.tolist() == [3.5, 2]
    assert test.subject.tolist() == [20, 5, 30, 35] and test.tags == ("human",)
    assert train.subject is None and train.tags == ()
    assert [record.img_id for record in HCIC.read(root, "test").records] == ["a"]


@pytest.mark.parametrize(
    "value, boxes, scores",
    [
        ([[1, 2, 30, 40], [5, 6, 7, 8]], [[1, 2, 30, 40], [5, 6, 7, 8]], None),  # FLMS
        ([10, 20, 30, 40], [[10, 20, 40, 60]], None),  # FCDB
        ({"bboxes": [[1, 2, 3, 4]], "scores": [0.5]}, [[1, 2, 3, 4]], [0.5]),  # CPC
    ],
)
def test_the_other_ways_of_writing_crops(tmp_path, value, boxes, scores):
    root = write(tmp_path, {"a.jpg": value}, {"a.jpg": {"bbox": [1, 1, 2, 2], "height": 9}})
    (record,) = HCIC.read(root, "test").records
    assert record.boxes.tolist() == boxes and record.subject.tolist() == [1, 1, 2, 2]
    assert scores == (None if record.scores is None else record.scores.tolist())
    with pytest.raises(AnnotationError, match="no usable record"):
        HCIC.read(root, "train")


@pytest.mark.parametrize(
    "folder, photo", [("images/test", "test/a.jpg"), ("image", "a.jpg"), ("data", "a.jpg")]
)
def test_where_the_photos_lie(tmp_path, folder, photo):
    root = write(tmp_path, GAICD, HUMANS, SPLIT)
    (root / folder).mkdir(parents=True)
    Image.new("RGB", (80, 60)).save(root / folder / "a.jpg")
    found = HCIC.read(root, "test")
    assert found.records[0].photo == photo and found.missing_photos() == []
    dataset = DATASETS.build(
        dict(type="HCICDataset", data_root=str(root), split="test", tag="human", test_mode=True)
    )
    assert dataset.get_data_info(0)["subject_bbox"].tolist() == [20, 5, 30, 35]


@pytest.mark.parametrize(
    "crops, humans, split, reason",
    [
        ({"b.jpg": "x"}, {}, None, r"'b.jpg'\): not crops as HCIC"),
        ({"b.jpg": {"bbox": [[1, 2, 3, 4]], "score": []}}, {}, None, "0 scores for 1 crops"),
        ({"b.jpg": {"bbox": [[1, 2, 3, 4]], "score": [float("nan")]}}, {}, None, "NaN or infinite score"),
        ({"b.jpg": [[3, 2, 1, 4]]}, {}, None, r"\(crop 1\): crop without area"),
        ({"b.jpg": [1e400, 1, 1, 1]}, {}, None, "NaN, infinite"),
        ({"../b.jpg": [[1, 2, 3, 4]]}, {}, None, "leaves the dataset"),
        ({}, {"a.jpg": [1]}, None, "not a box of a person"),
        ({}, {"a.jpg": [1, 1, 1, 9]}, None, "box of the person: crop without area"),
        ({}, {}, {"train": ["b.jpg"], "test": ["a.jpg"]}, "no crops for this name"),
        ({}, {}, {"train": ["a.jpg"], "test": ["a.jpg"]}, "in train and in test"),
    ],
)
def test_bad_entries_are_named_or_left_out(tmp_path, crops, humans, split, reason):
    root = write(tmp_path, {"a.jpg": GAICD["a.jpg"], **crops}, humans, split)
    with pytest.raises(AnnotationError, match=reason):
        HCIC.read(root)
    assert [record.img_id for record in HCIC.read(root, strict=False).records] == ["a"]


def test_splits_are_kept_when_all_of_it_is_written(tmp_path):
    found = HCIC.read(write(tmp_path / "in", GAICD, HUMANS, SPLIT))
    assert [record.extra for record in found.records] == [{"split": "train"}, {"split": "test"}]
    HCIC.save(found, tmp_path / "out", None, Problems())
    for part in ("train", "test"):
        (one,), (other,) = (HCIC.read(tmp_path / place, part).records for place in ("in", "out"))
        assert one.img_id == other.img_id


def test_files_that_are_not_there_or_not_json(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="image_crop.json"):
        HCIC.read(tmp_path)
    for text in ("no", "[]", '{"a": ' * 100_000):
        with pytest.raises(AnnotationError, match="not a JSON"):
            HCIC.read(write(tmp_path, text))
    with pytest.raises(AnnotationError, match="not a list of names"):
        HCIC.read(write(tmp_path, GAICD, None, {"train": 3}))


def test_written_files_read_the_same(tmp_path):
    found, problems = HCIC.read(write(tmp_path / "in", GAICD, HUMANS, SPLIT), "test"), Problems()
    HCIC.save(found, tmp_path / "out", "test", problems)
    (again,) = HCIC.read(tmp_path / "out", "test").records
    assert not problems.entries and HCIC.read(tmp_path / "out").records[0].img_id == "a"
    for name in ("boxes", "scores", "subject"):
        np.testing.assert_array_equal(getattr(found.records[0], name), getattr(again, name))
    two = [CropRecord(f"x_{i}", "train/x.jpg", [[0, 0, 5, 5]]) for i in range(2)]
    HCIC.save(CropSet("", two, tmp_path), tmp_path / "two", None, problems)
    assert not problems.entries  # a photo with two records is written twice
    written = HCIC.read(tmp_path / "two").records
    assert [(r.img_id, r.photo, r.scores) for r in written] == [
        ("x_0", "x_0.jpg", None),
        ("x_1", "x_1.jpg", None),
    ]
