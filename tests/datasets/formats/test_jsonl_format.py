"""The generic format: its fields, and lines that are refused by number."""

import json
import math

import pytest

from procrop.datasets import AnnotationError, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

JSONL = get_format("jsonl")
GOOD = '{"photo": "a.jpg", "crops": [{"box": [0, 0, 9, 9], "score": 3}], "split": "val"}'
BOX = {"box": [0, 0, 9, 9]}


def write(root, text):
    (root / "annotations.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def line(crops=(BOX,), photo="b.jpg", **fields):
    return json.dumps({"photo": photo, "crops": list(crops)} | fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not a JSON object"),
        ("b.jpg 1 2 3 4", "not JSON"),
        (line(photo="../b.jpg"), "leaves the dataset's folders"),
        (line(photo="/b.jpg"), "leaves the dataset's folders"),
        (line(photo="C:\\b.jpg"), "leaves the dataset's folders"),
        (line(mask="x/../../m.png"), "'mask': name that leaves"),
        (line(photo=3), "no file name"),
        (line(crops=[]), "at least one crop"),
        (line(crops=[{"box": [0, 0, 9]}]), "a crop is not"),
        (line(crops=[{"box": [0, 0, 9, 9, 9]}]), "a crop is not"),
        (line(crops=[{"box": [0, 0, "9", 9]}]), "a crop is not"),
        (line(crops=[{"box": [0, 0, 10**400, 9]}]), "a crop is not"),
        (line(crops=[{"box": [9, 0, 0, 9]}]), "crop without area"),
        (line(crops=[{"box": [0, 0, 9, math.nan]}]), "NaN"),
        (line(crops=[{"box": [-5, 0, 9, 9]}]), "crop outside its photo"),
        (line(size=[5, 40]), "crop outside its photo"),
        (line(crops=[BOX | {"score": math.nan}]), "score is NaN"),
        (line(crops=[BOX | {"score": 10**400}]), "either all"),
        (line(crops=[BOX | {"score": "3"}]), "either all"),
        (line(crops=[BOX | {"score": 1}, BOX]), "either all"),
        (line(crops=[BOX | {"scroe": 1}]), "in a crop: unknown key 'scroe', did you mean 'score'"),
        ('{"photo": "b.jpg", "crop": []}', "did you mean 'crops'"),
        (line(xyz=1), "unknown key 'xyz'$"),
        (line(size=[0, 40]), "'size'"),
        (line(size=[40.5, 40]), "'size'"),
        (line(size=[math.inf, 40]), "'size'"),
        (line(subject=[4, 4, 1, 1]), "'subject'"),
        (line(subject=[0, 0, 500, 5], size=[40, 40]), "'subject': crop outside"),
        (line(split="dev"), "'split'"),
        (line(tags="human"), "'tags'"),
        (line(img_id=""), "'img_id' is not a name"),
        (line(extra=[]), "'extra' is not an object"),
        (line(extra={"split": "val"}), "'extra' has a 'split'"),
        (line(extra={"a": [math.inf]}), "'extra' holds NaN"),
        (GOOD, r"\('a'\): record listed twice"),
    ],
)
def test_faults(tmp_path, text, reason):
    # with a byte order mark, CRLF and a blank line
    root = write(tmp_path, b"\xef\xbb\xbf" + f"{GOOD}\r\n\r\n{text}\r\n".encode())
    with pytest.raises(AnnotationError, match=rf"(?m)annotations.jsonl:3\b.*{reason}"):
        JSONL.read(root)
    found = JSONL.read(root, strict=False)
    assert [r.img_id for r in found.records] == ["a"] and len(found.problems) == 1
    assert found.records[0].scores.tolist() == [3] and found.records[0].extra == {"split": "val"}


def test_bad_crops_leave_the_good_ones_with_their_scores(tmp_path):
    boxes = [[0, 0, 9, 9], [5, 5, 1, 9], [1, 1, 8, 8], [2, 2, 8, 8]]
    scores = [1, 2, math.nan, 4]
    crops = [{"box": b, "score": s} for b, s in zip(boxes, scores, strict=True)]
    found = JSONL.read(write(tmp_path, line(crops)), strict=False)
    assert found.records[0].boxes.tolist() == [boxes[0], boxes[3]]
    assert found.records[0].scores.tolist() == [1, 4]
    assert [place[-8:] for place, _ in found.problems.entries] == ["(crop 2)", "(crop 3)"]


def test_no_file_and_no_line(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="annotations.jsonl is missing"):
        JSONL.read(tmp_path)
    with pytest.raises(AnnotationError, match="no usable record"):
        JSONL.read(write(tmp_path, "\n\n"))


def test_splits_and_odd_names(tmp_path):
    names = ["val/ü\u2028.jpg", "with space.jpg"]
    text = "\n".join([line(photo=names[0], split="val"), line(photo=names[1])])
    assert [r.photo for r in JSONL.read(write(tmp_path, text)).records] == names
    (record,) = JSONL.read(tmp_path, "val").records
    assert (record.img_id, record.source_id) == ("val/ü\u2028", "val/ü\u2028")
    found = JSONL.read(tmp_path)
    JSONL.save(found, tmp_path / "out", None, Problems())
    assert [r.photo for r in JSONL.read(tmp_path / "out").records] == names


def test_many_lines_take_time_in_proportion(tmp_path):
    # one quadratic step over these would take minutes
    text = "\n".join(line(photo=f"{n}.jpg", crops=[BOX | {"score": 1}] * 5) for n in range(10_000))
    assert len(JSONL.read(write(tmp_path, text))) == 10_000


def test_dataset_takes_good_crops_as_positive(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/b.jpg").touch()
    root = write(
        tmp_path, line(crops=[BOX | {"score": 3}, BOX | {"score": 4.5}], size=[40, 30], split="train")
    )
    config = dict(type="CropJsonlDataset", data_root=str(root), split="train", positive_threshold=4.0)
    assert DATASETS.build(config).get_data_info(0)["gt_positives"].tolist() == [False, True]
