"""FLMS files: what is read, what is refused, and the real ones."""

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image
from scipy.io import loadmat, savemat

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

FLMS = get_format("flms")


def write_release(root, entries):
    """`500_image_dataset.mat` of (name, rows of y1 x1 y2 x2), padded with -1 to ten rows, and its photos."""
    table = np.zeros((len(entries), 1), dtype=[("filename", object), ("bbox", object)])
    (root / "image").mkdir(parents=True, exist_ok=True)
    for row, (name, boxes) in zip(table[:, 0], entries, strict=True):
        padded = np.full((10, 4), -1.0)
        padded[: len(boxes)] = boxes
        row["filename"], row["bbox"] = name, padded
        if "/" not in name:
            Image.new("RGB", (100, 60)).save(root / "image" / name)
    savemat(root / "500_image_dataset.mat", {"img_gt": table})
    return root


def test_axes_and_unused_rows(tmp_path):
    root = write_release(tmp_path, [("a.jpg", [[5, 10, 50, 90], [0, 0, 60, 100]])])
    (record,) = FLMS.read(root).records
    assert record.boxes.tolist() == [[10, 5, 90, 50], [0, 0, 100, 60]] and record.scores is None
    assert (record.img_id, record.photo) == ("a", "a.jpg")


def test_bad_rows_are_named_or_left_out(tmp_path):
    bad = [[76, 68, 79, 60], [5, 10, 50, 90]]
    root = write_release(tmp_path, [("a.jpg", bad), ("../b.jpg", bad[1:])])
    with pytest.raises(AnnotationError, match=r"entry 1\), a.jpg \(crop 1\): crop without area"):
        FLMS.read(root)
    found = FLMS.read(root, strict=False)
    assert found.records[0].boxes.tolist() == [[10, 5, 90, 50]] and len(found) == 1
    assert sorted(found.problems.by_reason()) == [
        "crop without area",
        "name that leaves the dataset's folders",
    ]


def test_files_that_are_not_there_or_not_matlab(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="500_image_dataset.mat"):
        FLMS.read(tmp_path)
    (tmp_path / "500_image_dataset.mat").write_bytes(b"no")
    with pytest.raises(AnnotationError, match="not a MATLAB file"):
        FLMS.read(tmp_path)
    with pytest.raises(ValueError, match="no split 'train'"):
        FLMS.read(tmp_path, "train")


def test_written_files_read_the_same(tmp_path):
    entries = [("a.jpg", [[5, 10, 50, 90]]), ("b.jpg", [[1, 2, 33, 44], [0, 0, 60, 100]])]
    found, problems = FLMS.read(write_release(tmp_path / "in", entries)), Problems()
    FLMS.save(found, tmp_path / "out", None, problems)
    again = FLMS.read(tmp_path / "out")
    assert not problems.entries and [r.img_id for r in again.records] == ["a", "b"]
    for one, other in zip(found.records, again.records, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)


def test_other_sets_are_written_flat_and_losses_are_told(tmp_path):
    ten = np.tile([10.5, 5, 90, 50], (12, 1))
    made = [
        CropRecord("a/1", "train/a/1.png", ten, np.arange(12.0), tags=("human",)),
        CropRecord("a_1", "b.png", ten[:1]),
        CropRecord("\udc80", "\udc80.png", ten[:1]),
    ]
    problems = Problems()
    FLMS.save(CropSet("other", made, tmp_path), tmp_path, None, problems)
    (record,) = FLMS.read(tmp_path).records
    assert (record.img_id, record.photo) == ("a_1", "a_1.png")
    assert FLMS.places(made[0]) == {"train/a/1.png": "image/a_1.png"}
    np.testing.assert_array_equal(record.boxes, ten[:10])
    assert {reason: len(places) for reason, places in problems.by_reason().items()} == {
        "FLMS has no place for scores": 1,
        "FLMS has no place for tags": 1,
        "FLMS would give two records one name; the later is left out": 1,
        "FLMS has no place for names that are not UTF-8; the record is left out": 1,
        "FLMS has place for 10 crops a photo; the others are left out": 1,
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([5, np.nan, 50, 90], "NaN"),
        ([5, np.inf, 50, 90], "NaN"),
        ([-9, 10, 50, 90], "outside its photo"),
        ([5, 90, 50, 90], "without area"),
    ],
)
def test_faulty_rows(tmp_path, row, reason):
    root = write_release(tmp_path, [("a.jpg", [[5, 10, 50, 90], row])])
    with pytest.raises(AnnotationError, match=rf"a.jpg \(crop 2\): .*{reason}"):
        FLMS.read(root)
    assert len(FLMS.read(root, strict=False).records[0].boxes) == 1


@pytest.mark.parametrize("table", [{"other": [1]}, {"img_gt": [1.0, 2.0]}, {"img_gt": np.zeros((0, 1))}])
def test_other_variables(tmp_path, table):
    savemat(tmp_path / "500_image_dataset.mat", table)
    with pytest.raises(AnnotationError, match=r"500_image_dataset.mat|no usable record"):
        FLMS.read(tmp_path)


def test_names_listed_twice_and_absolute_ones(tmp_path):
    rows = [[5, 10, 50, 90]]
    root = write_release(tmp_path, [("a.jpg", rows), ("a.jpg", rows), ("/etc/b.jpg", rows)])
    found = FLMS.read(root, strict=False)
    assert len(found) == 1 and sorted(found.problems.by_reason()) == [
        "name that leaves the dataset's folders",
        "record listed twice",
    ]


def test_dataset_gives_samples_and_misses_photos(tmp_path):
    root = write_release(tmp_path, [("a.jpg", [[5, 10, 50, 90]]), ("b.jpg", [[5, 10, 50, 90]])])
    (root / "image/b.jpg").unlink()
    config = dict(type="FLMSDataset", data_root=str(root), test_mode=True)
    with pytest.raises(AnnotationError, match="b.jpg: photo missing"):
        DATASETS.build(config)
    dataset = DATASETS.build(config | dict(strict=False))
    info = dataset.get_data_info(0)
    assert len(dataset) == 1 and list(dataset.report) == ["photo missing"]
    assert info["gt_scores"].tolist() == [5] and info["gt_positives"].tolist() == [True]


@pytest.mark.realdata
def test_real_photos(procrop_data):
    root = procrop_data / "flms50"
    found = FLMS.read(root)
    assert len(found) == 50 and found.missing_photos() == []
    table = loadmat(root / "500_image_dataset.mat")["img_gt"]
    expected = {str(entry[0][0]): entry[1][entry[1][:, 0] >= 0] for entry in table.ravel()}
    assert sum(map(len, expected.values())) == 499
    for record in found.records:
        y1, x1, y2, x2 = expected[record.photo].T
        np.testing.assert_array_equal(record.boxes, np.stack([x1, y1, x2, y2], axis=1))


@pytest.mark.realdata
def test_all_real_photos_can_be_loaded(procrop_data):
    """One crop of the release ends 43 pixels below its photo: it is clipped, and nothing else is."""
    pipeline = [dict(type="LoadPhoto"), dict(type="LoadCropAnnotations")]
    config = dict(
        type="FLMSDataset", data_root=str(procrop_data / "flms50"), pipeline=pipeline, test_mode=True
    )
    with DefaultScope.overwrite_default_scope("procrop"):
        dataset = DATASETS.build(config)
    changed = {}
    for i in range(len(dataset)):
        raw = dataset.get_data_info(i)["gt_bboxes"]
        moved = np.abs(dataset[i]["gt_ori_bboxes"] - raw).max(axis=1)
        changed |= {
            (dataset.get_data_info(i)["img_id"], row): moved[row] for row in np.flatnonzero(moved > 2)
        }
    assert len(changed) == 1
    ((name, _), distance) = next(iter(changed.items()))
    assert name.startswith("474242923_Large") and distance == 43
