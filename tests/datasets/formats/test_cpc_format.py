"""CPC's doubly encoded annotation files, its splits, and what is written."""

import json

import numpy as np
import pytest
from PIL import Image

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.formats.cpc import _members, read_cpc_annotation
from procrop.datasets.problems import Problems
from procrop.datasets.splits import seeded_split
from procrop.registry import DATASETS

CPC = get_format("cpc")

BOXES = [[10, 20, 110, 95], [0, 0, 50, 60], [5, 5, 6, 6]]
SCORES = [[3, 0, 1], [1, 0, 2], [2, 1, 3]]


def write(path, content, wrap=True):
    text = json.dumps(content)
    path.write_text(json.dumps(text) if wrap else text)
    return path


def test_mean_over_annotators(tmp_path):
    path = write(tmp_path / "a.jpg.txt", {"bboxes": BOXES, "scores": SCORES})
    boxes, scores = read_cpc_annotation(path)
    assert boxes.dtype == scores.dtype == np.float32
    np.testing.assert_array_equal(boxes, BOXES)
    np.testing.assert_allclose(scores, [2, 1 / 3, 2], rtol=1e-6)


def test_plain_json_and_a_byte_order_mark(tmp_path):
    path = write(tmp_path / "a.txt", {"bboxes": BOXES, "scores": SCORES}, wrap=False)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    np.testing.assert_array_equal(read_cpc_annotation(path)[0], BOXES)


@pytest.mark.parametrize(
    "content",
    [
        {"bboxes": BOXES},
        {"bboxes": [], "scores": SCORES},
        {"bboxes": BOXES, "scores": []},
        {"bboxes": BOXES, "scores": [[1, 2]]},
        {"bboxes": [[1, 2, 3]] * 3, "scores": SCORES},
        {"bboxes": [[1, 2, 3, "4"]] * 3, "scores": SCORES},
        {"bboxes": BOXES, "scores": [[1, 2, float("nan")]]},
        {"bboxes": [[5, 5, 5, 9], *BOXES[1:]], "scores": SCORES},
        [1],
        3,
    ],
)
def test_other_content_is_refused_by_name(tmp_path, content):
    with pytest.raises(AnnotationError, match="a.jpg.txt:1"):
        read_cpc_annotation(write(tmp_path / "a.jpg.txt", content))


@pytest.mark.parametrize("data", [b"", b"not json", b'"not json"', b"\xff\xfe"])
def test_no_json_is_refused_by_name(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(AnnotationError, match="a.txt:1"):
        read_cpc_annotation(tmp_path / "a.txt")
    with pytest.raises(AnnotationError, match="b.txt:1"):
        read_cpc_annotation(tmp_path / "b.txt")


# ---------------------------------------------------------------------------------------------------- the format


def release(root, names, lists=()):
    """Annotations of photos by name, each with its own first corner, and split files."""
    (root / "CollectedAnnotationsRaw").mkdir(parents=True)
    for number, name in enumerate(names):
        boxes = [[number, 20, 110, 95], *BOXES[1:]]
        write(root / "CollectedAnnotationsRaw" / f"{name}.txt", {"bboxes": boxes, "scores": SCORES})
    for split, text in dict(lists).items():
        (root / "splits").mkdir(exist_ok=True)
        (root / f"splits/{split}.txt").write_bytes(text.encode())
    return root


def photos(found):
    return [record.photo for record in found.records]


def test_records(tmp_path):
    root = release(tmp_path, ["a.jpg", "b.c.PNG"])
    first, second = sorted(CPC.read(root).records, key=lambda record: record.img_id)
    assert (first.img_id, first.photo, second.img_id, second.photo) == ("a", "a.jpg", "b.c", "b.c.PNG")
    np.testing.assert_array_equal(second.boxes, [[1, 20, 110, 95], *BOXES[1:]])
    np.testing.assert_array_equal(second.scores, [2, 1 / 3, 2])
    assert CPC.read(root).photo_path(first) == root / "images/a.jpg"


def test_unstated_split_is_seeded_and_depends_on_names_alone(tmp_path):
    names = [f"{number:03d}.jpg" for number in range(54)]
    one = release(tmp_path / "one", names)
    other = release(tmp_path / "other", names[::-1])
    train, val = CPC.read(one, "train"), CPC.read(one, "val")
    assert (len(train), len(val)) == (49, 5)  # 54 * 9797 / 10797 is 48.998
    assert sorted(photos(train) + photos(val)) == names
    assert photos(CPC.read(other, "val")) == photos(val) == seeded_split(names, 49)[1]
    assert [r.extra["split"] for r in CPC.read(one).records] == ["train"] * 49 + ["val"] * 5


@pytest.mark.parametrize(("number", "count"), [(1, 1), (2, 1), (5, 4), (10797, 9797)])
def test_size_of_the_unstated_split(tmp_path, number, count):
    found = _members(tmp_path, [str(i) for i in range(number)], None, Problems())
    assert {split: len(names) for split, names in found.items()} == dict(train=count, val=number - count)


def test_stated_splits(tmp_path):
    names = [f"{letter}.jpg" for letter in "abcde"]
    both = release(tmp_path / "both", names, dict(train="\ufeffc.jpg\r\na.jpg.txt\r\n\r\n", val="b.jpg\n"))
    assert photos(CPC.read(both, "train")) == ["c.jpg", "a.jpg"] and photos(CPC.read(both, "val")) == [
        "b.jpg"
    ]
    found = CPC.read(both)
    assert (
        photos(found) == ["c.jpg", "a.jpg", "b.jpg", "d.jpg", "e.jpg"]
        and "split" not in found.records[3].extra
    )
    val = release(tmp_path / "val", names, dict(val="b.jpg\n"))
    assert photos(CPC.read(val, "train")) == ["a.jpg", "c.jpg", "d.jpg", "e.jpg"]


def test_faults_in_split_files(tmp_path):
    lists = dict(train="a.jpg\nb.jpg\na.jpg\n../c.jpg\n/etc/c.jpg\nnone.jpg\n", val="b.jpg\n")
    root = release(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], lists)
    with pytest.raises(AnnotationError, match=r"train.txt:3: name listed twice"):
        CPC.read(root, "train")
    found = CPC.read(root, "train", strict=False)
    assert photos(found) == ["a.jpg"] and CPC.read(root, "val").problems.entries == []
    assert {reason: len(places) for reason, places in found.problems.by_reason().items()} == {
        "name that leaves the dataset's folders": 2,
        "name listed twice": 1,
        "name listed in splits/val.txt too": 1,
        "annotation missing": 1,
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\r\n\r\n", "not JSON"),
        (b'"{"', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1 2 3 4", "not JSON"),
        ({"bboxes": BOXES, "scores": [[1, 2]]}, "list of 3 numbers per annotator"),
        ({"bboxes": BOXES, "scores": [[1, 2, 3, 4]]}, "list of 3 numbers per annotator"),
        ({"bboxes": BOXES, "scores": [[1, 2, float("nan")]]}, "NaN"),
        ({"bboxes": BOXES, "scores": [[1, 2, 10**400]]}, "numbers per annotator"),
        ({"bboxes": [*BOXES[:2], [5, 9, 5]], "scores": SCORES}, "'bboxes' is not"),
        ({"bboxes": [*BOXES[:2], [5, 9, 8, True]], "scores": SCORES}, "'bboxes' is not"),
    ],
)
def test_malformed_files_are_named_or_left_out(tmp_path, content, reason):
    root = release(tmp_path, ["a.jpg", "b.jpg"])
    text = content if isinstance(content, bytes) else json.dumps(json.dumps(content)).encode()
    (root / "CollectedAnnotationsRaw/b.jpg.txt").write_bytes(text)
    with pytest.raises(AnnotationError, match=rf"b\.jpg\.txt:1: .*{reason}"):
        CPC.read(root)
    found = CPC.read(root, strict=False)
    assert photos(found) == ["a.jpg"] and len(found.problems) == 1


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([9, 5, 5, 9], "without area"),
        ([5, 9, 9, 9], "without area"),
        ([-9, 0, 5, 9], "outside its photo"),
        ([0, 0, 5, float("inf")], "NaN"),
    ],
)
def test_a_faulty_crop_is_named_or_left_out(tmp_path, box, reason):
    root = release(tmp_path, ["a.jpg"])
    path = root / "CollectedAnnotationsRaw/a.jpg.txt"
    write(path, {"bboxes": [BOXES[0], box, BOXES[2]], "scores": SCORES})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    with pytest.raises(AnnotationError, match=rf"a.jpg.txt:1 \(crop 2\): .*{reason}"):
        CPC.read(root)
    (record,) = CPC.read(root, strict=False).records
    assert record.boxes.tolist() == [BOXES[0], BOXES[2]] and record.scores.tolist() == [2, 2]


def test_names_that_come_twice_and_links(tmp_path):
    root = release(tmp_path / "cpc", ["a.jpg", "a.png", "b.jpg"])
    write(tmp_path / "out.txt", {"bboxes": BOXES, "scores": SCORES})
    (root / "CollectedAnnotationsRaw/c.jpg.txt").symlink_to(tmp_path / "out.txt")
    (root / "CollectedAnnotationsRaw/d.jpg.txt").symlink_to("b.jpg.txt")
    found = CPC.read(root, strict=False)
    assert sorted(record.img_id for record in found.records) == ["a", "b", "d"]
    assert sorted(found.problems.by_reason()) == [
        "annotation is a link that leaves the dataset's folders",
        "record listed twice",
    ]


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="CollectedAnnotationsRaw/<name>.jpg.txt"):
        CPC.read(tmp_path)
    (tmp_path / "CollectedAnnotationsRaw").mkdir()
    with pytest.raises(AnnotationError, match="no usable record"):
        CPC.read(tmp_path)
    with pytest.raises(ValueError, match="no split 'test'"):
        CPC.read(tmp_path, "test")


def test_written_files_read_the_same(tmp_path):
    rng = np.random.default_rng(0)
    made = [
        CropRecord("a", "a.jpg", BOXES, rng.uniform(0, 3, 3), extra={"split": "val"}),
        CropRecord("x/b", "x/b.png", np.array(BOXES) + 0.1, rng.uniform(0, 3, 3), extra={"split": "train"}),
        CropRecord("c", "c.jpg", BOXES, extra={"split": "test"}, tags=("human",)),
    ]
    problems = Problems()
    CPC.save(CropSet("x", made, tmp_path), tmp_path, None, problems)
    again = CPC.read(tmp_path).records
    assert [(r.img_id, r.extra.get("split")) for r in again] == [("x_b", "train"), ("a", "val"), ("c", None)]
    for one, other in zip([made[1], made[0]], again[:2], strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
    assert again[2].scores.tolist() == [5, 5, 5] and CPC.places(made[1]) == {"x/b.png": "images/x_b.png"}
    content = json.loads(json.loads((tmp_path / "CollectedAnnotationsRaw/a.jpg.txt").read_text()))
    assert content["bboxes"] == BOXES and all(type(value) is int for value in content["bboxes"][0])
    assert sorted(problems.by_reason()) == [
        "CPC has no place for tags",
        "CPC needs scores; crops without are written as 5",
    ]


def test_dataset_selects_positives_as_jia_et_al_do(tmp_path):
    root = release(tmp_path, ["a.jpg"], dict(train="a.jpg\n"))
    boxes = [[0, 0, 100, 90], [0, 0, 100, 95], [50, 50, 90, 90], [0, 0, 9, 9]]
    content = {"bboxes": boxes, "scores": [[3, 2, 2, 1], [2, 2, 2, 2]]}
    write(root / "CollectedAnnotationsRaw/a.jpg.txt", content)
    config = dict(type="CPCDataset", data_root=str(root))
    with pytest.raises(AnnotationError, match="a.jpg: photo missing"):
        DATASETS.build(config)
    (root / "images").mkdir()
    Image.new("RGB", (120, 100)).save(root / "images/a.jpg")
    info = DATASETS.build(config).get_data_info(0)
    assert info["gt_scores"].tolist() == [2.5, 2, 2, 1.5]
    assert info["gt_positives"].tolist() == [True, False, True, False]  # the second overlaps the first
    both = DATASETS.build(config | dict(nms_iou=None)).get_data_info(0)
    assert both["gt_positives"].tolist() == [True, True, True, False]
