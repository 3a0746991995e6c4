"""GAICD without photos: splits, both layouts of annotations, what is written, and all real annotations."""

import numpy as np
import pytest

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems

V1, V2 = get_format("gaicv1"), get_format("gaicv2")
BOTH = pytest.mark.parametrize("gaic", [V1, V2], ids=["v1", "v2"])


def write(root, files, lists=()):
    """Annotation files by name below ``annotations``, and split files."""
    for name, text in files.items():
        path = root / "annotations" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for split, names in dict(lists).items():
        (root / "splits").mkdir(exist_ok=True)
        (root / f"splits/{split}.txt").write_text(names)
    return root


def ids(found):
    return [record.img_id for record in found.records]


@BOTH
def test_flat_annotations_and_lists(tmp_path, gaic):
    files = dict.fromkeys("abcd", "1 2 30 40 3.5\n5 6 70 80 -2\n")
    write(tmp_path, files, dict(train="b\na\n", val="c\n"))
    (tmp_path / "images/train").mkdir(parents=True)
    found = gaic.read(tmp_path)
    assert ids(found) == ["b", "a", "c", "d"]
    assert [record.extra.get("split") for record in found.records] == ["train", "train", "val", None]
    record = gaic.read(tmp_path, "val").records[0]
    assert record.boxes.tolist() == [[2, 1, 40, 30]] and record.scores.tolist() == [3.5]
    # version 1 keeps its validation photos among those of train
    assert record.photo == ("train/c.jpg" if gaic is V1 else "val/c.jpg")
    assert record.boxes.dtype == record.scores.dtype == np.float64
    assert found.missing_photos() == [record.photo for record in found.records]


@BOTH
def test_annotations_in_a_folder_per_split(tmp_path, gaic):
    write(tmp_path, {"train/a": "1 2 30 40 3", "test/b": "1 2 30 40 3", "val/c": "1 2 30 40 3"})
    assert {s: ids(gaic.read(tmp_path, s)) for s in gaic.splits} == dict(train=["a"], val=["c"], test=["b"])
    assert [(r.img_id, r.extra["split"]) for r in gaic.read(tmp_path).records] == [
        ("a", "train"),
        ("c", "val"),
        ("b", "test"),
    ]


def test_nothing_says_which_annotations_a_split_has(tmp_path):
    write(tmp_path, {"a": "1 2 30 40 3"})
    assert ids(V1.read(tmp_path)) == ["a"]
    with pytest.raises(DatasetNotFoundError, match="nothing says which annotations belong to 'test'"):
        V1.read(tmp_path, "test")
    with pytest.raises(ValueError, match="no split 'trian'"):
        V1.read(tmp_path, "trian")
    with pytest.raises(DatasetNotFoundError, match="no folder 'annotations'"):
        V2.read(tmp_path / "annotations")


FAULTS = {
    "short": ("1 2 30 40", "not 5 numbers"),
    "long": ("1 2 30 40 3 4", "not 5 numbers"),
    "words": ("1 2 30 40 good", "not 5 numbers"),
    "NaN": ("1 2 30 nan 3", "NaN"),
    "corners": ("30 2 1 40 3", "without area"),
    "outside": ("-9 2 30 40 3", "outside its photo"),
    "score": ("1 2 30 40 6", "MOS outside"),
}


@pytest.mark.parametrize(("line", "reason"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named_by_line_or_left_out(tmp_path, line, reason):
    write(
        tmp_path, {"a": f"\ufeff1 2 30 40 0.86\r\n\r\n{line}\r\n0 0 9 9 -2\r\n", "b": "", "c": "0 0 9 9 -2"}
    )
    with pytest.raises(AnnotationError, match=rf"3 annotation problem[^$]*a\.txt:3: .*{reason}"):
        V2.read(tmp_path)
    found = V2.read(tmp_path, strict=False)
    assert ids(found) == ["a"] and found.records[0].scores.tolist() == [0.86]
    assert [place.rsplit("/")[-1] for place, _ in found.problems.entries] == ["a.txt:3", "b.txt:1", "c.txt:1"]


def test_names_in_lists(tmp_path):
    write(tmp_path, {"a": "1 2 30 40 3"}, dict(train="a\n../a\n/etc/a\na.jpg\nnone\n"))
    found = V2.read(tmp_path, "train", strict=False)
    assert ids(found) == ["a"]
    assert {reason: len(places) for reason, places in found.problems.by_reason().items()} == {
        "name that leaves the dataset's folders": 2,
        "name listed twice": 1,
        "annotation missing": 1,
    }


@BOTH
def test_written_files_read_the_same(tmp_path, gaic):
    rng = np.random.default_rng(0)
    made = []
    for number, split in enumerate(["train", "train", "val", "test", None]):
        boxes = np.concatenate([rng.uniform(0, 50, (7, 2)), rng.uniform(51, 99, (7, 2))], axis=1)
        boxes = boxes.round() if number % 2 else boxes
        extra = {"split": split} if split else {}
        scores = rng.uniform(0, 5, 7)
        made.append(CropRecord(f"p{number}", f"{split or 'train'}/p{number}.jpg", boxes, scores, extra=extra))
    problems = Problems()
    gaic.save(CropSet("x", made, tmp_path), tmp_path, None, problems)
    again = gaic.read(tmp_path)
    assert not problems.entries and len(again) == 5
    for one, other in zip(made, again.records, strict=True):
        assert (one.img_id, one.extra) == (other.img_id, other.extra)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert (tmp_path / "annotations/p1.txt").read_text().split()[0].isdecimal()
    assert gaic.places(made[3]) == {"test/p3.jpg": "images/test/p3.jpg"}
    assert gaic.places(made[3], "val") == {"test/p3.jpg": "images/val/p3.jpg"}


def test_what_gaicd_has_no_place_for_is_told(tmp_path):
    made = [
        CropRecord("a/b", "a/b.png", [[0, 0, 9, 9]], subject=[1, 1, 2, 2]),
        CropRecord("c", "c.png", [[0, 0, 9, 9]], [7.0], source_id="s", extra={"licence": "CC0"}),
    ]
    problems = Problems()
    V2.save(CropSet("x", made, tmp_path), tmp_path, "test", problems)
    assert sorted(problems.by_reason()) == [
        "GAICD has scores from 0 to 5; others are clipped",
        "GAICD v2 has no place for further fields",
        "GAICD v2 has no place for source ids",
        "GAICD v2 has no place for subjects",
        "GAICD v2 needs scores; crops without are written as 5",
    ]
    found = V2.read(tmp_path, "test")
    assert ids(found) == ["a_b", "c"] and [r.scores.tolist() for r in found.records] == [[5], [5]]


@pytest.mark.realdata
def test_all_real_annotations_without_their_photos(procrop_data):
    root = procrop_data / "gaicd_v1"
    listed = {split: (root / f"splits/{split}.txt").read_text().split() for split in V1.splits}
    found = V1.read(root)
    assert {split: len(V1.read(root, split)) for split in V1.splits} == dict(train=1000, val=36, test=200)
    assert ids(found) == [*listed["train"], *listed["val"], *listed["test"]]
    assert {r.photo.split("/")[0] for r in found.records if r.extra["split"] == "val"} == {"train"}
    assert len(found.missing_photos()) == 1231
    crops = 0
    for record in found.records:
        rows = [line.split() for line in (root / "annotations" / f"{record.img_id}.txt").open()]
        rows = [[float(value) for value in row] for row in rows if row and float(row[4]) > -2]
        assert record.boxes.tolist() == [[x1, y1, x2, y2] for y1, x1, y2, x2, _ in rows]
        assert record.scores.tolist() == [row[4] for row in rows]
        crops += len(rows)
    assert (len(found), crops) == (1236, 106_853)


@pytest.mark.realdata
def test_real_annotations_written_again(procrop_data, tmp_path):
    root = procrop_data / "gaicd_v1"
    found, problems = V1.read(root, "test"), Problems()
    V1.save(found, tmp_path, None, problems)
    assert not problems.entries and ids(V1.read(tmp_path, "test")) == ids(found)
    for record in found.records:
        name = f"annotations/{record.img_id}.txt"
        np.testing.assert_array_equal(np.loadtxt(tmp_path / name), np.loadtxt(root / name))
