"""SACD, CAD, JSONL and COCO files: what is read, and what is refused by name and line."""

import json

import numpy as np
import pytest

from procrop.datasets import AnnotationError, DatasetNotFoundError
from procrop.datasets.formats import get_format


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def sacd(root, **changes):
    one = {
        "mask_box": "[10, 20, 30, 40]",
        "best_box": [[1, 2, 50, 60], [0, 0, 9, 9]],
        "crop_box": [[0, 0, 70, 80]],
    }
    files = {"annotations/a_0.json": json.dumps(one | changes), "annotations/a_1.json": json.dumps(one)}
    return write(
        root, files | {"test.json": json.dumps({"jsons": ["annotations/a_1.json"]}), "images/a.png": ""}
    )


def test_sacd_records_are_subjects(tmp_path):
    found = get_format("sacd").read(sacd(tmp_path))
    one = found.records[0]
    assert [r.img_id for r in found.records] == ["a_0", "a_1"] and one.source_id == "a"
    assert one.boxes.tolist() == [[1, 2, 50, 60], [0, 0, 70, 80]] and one.scores is None
    assert one.subject.tolist() == [10, 20, 40, 60] and one.photo == "images/a.png"
    assert [r.img_id for r in get_format("sacd").read(tmp_path, "test").records] == ["a_1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(best_box=[]), "not lists of crops"),
        (dict(best_box=[[1, 2, "3", 4]]), "not lists of crops"),
        (dict(crop_box=[[9, 9, 1, 1]]), r"\(crop 2\): crop without area"),
        (dict(mask_box="[1, 2]"), "'mask_box' is not"),
        (dict(mask_box="[1, 2, 0, 4]"), "subject: crop without area"),
    ],
)
def test_sacd_faults(tmp_path, changes, reason):
    with pytest.raises(AnnotationError, match=rf"a_0.json.*{reason}"):
        get_format("sacd").read(sacd(tmp_path, **changes))
    assert "a_1" in [r.img_id for r in get_format("sacd").read(tmp_path, strict=False).records]


def test_sacd_splits_need_their_list(tmp_path):
    (sacd(tmp_path) / "test.json").write_text('{"jsons": ["annotations/gone_3.json"]}')
    with pytest.raises(AnnotationError, match="annotation missing"):
        get_format("sacd").read(tmp_path, "test")
    (tmp_path / "test.json").unlink()
    assert len(get_format("sacd").read(tmp_path)) == 2
    with pytest.raises(DatasetNotFoundError, match="test.json"):
        get_format("sacd").read(tmp_path, "train")


GOOD = '{"photo": "a.jpg", "crops": [{"box": [0, 0, 9, 9], "score": 3}], "split": "val"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"photo": "../b.jpg", "crops": [{"box": [0, 0, 9, 9]}]}', "leaves the dataset's folders"),
        ('{"photo": "/b.jpg", "crops": [{"box": [0, 0, 9, 9]}]}', "leaves the dataset's folders"),
        ('{"photo": "b.jpg", "crops": []}', "at least one crop"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9]}]}', "a crop is not"),
        ('{"photo": "b.jpg", "crops": [{"box": [9, 0, 0, 9]}]}', "crop without area"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, NaN]}]}', "NaN"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9], "score": NaN}]}', "score is NaN"),
        (
            '{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9], "score": 1}, {"box": [0, 0, 9, 9]}]}',
            "either all",
        ),
        ('{"photo": "b.jpg", "crop": []}', "did you mean 'crops'"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9]}], "size": [0, 4]}', "'size'"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9]}], "subject": [4, 4, 1, 1]}', "'subject'"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9]}], "split": "dev"}', "'split'"),
        ('{"photo": "b.jpg", "crops": [{"box": [0, 0, 9, 9]}], "tags": "human"}', "'tags'"),
        (GOOD, "record listed twice"),
    ],
)
def test_jsonl_faults(tmp_path, line, reason):
    text = b"\xef\xbb\xbf" + f"{GOOD}\r\n\r\n{line}\r\n".encode()
    root = write(tmp_path, {"annotations.jsonl": text})
    with pytest.raises(AnnotationError, match=reason) as raised:
        get_format("jsonl").read(root)
    assert "jsonl:3" in str(raised.value) or "twice" in reason
    (record,) = get_format("jsonl").read(root, strict=False).records
    assert record.scores.tolist() == [3] and record.extra == {"split": "val"}


def test_cad_keeps_the_expansions_of_a_source_together(tmp_path):
    lines = [
        json.dumps({"photo": f"{s}_{n}.jpg", "source_id": f"s{s}", "crops": [{"box": [0, 0, 9, 9]}]})
        for s in range(120)
        for n in range(3)
    ]
    root = write(tmp_path, {"annotations.jsonl": "\n".join(lines)})
    parts = {
        split: {r.source_id for r in get_format("cad").read(root, split).records}
        for split in ("train", "val")
    }
    assert (
        len(parts["val"]) == 2
        and not parts["val"] & parts["train"]
        and len(get_format("cad").read(root)) == 360
    )
    stated = lines[0][:-1] + ', "split": "val"}'
    write(root, {"annotations.jsonl": "\n".join([stated, *lines[1:]])})
    assert len(get_format("cad").read(root, "val")) == 1


def test_text_files_of_cad(tmp_path):
    root = write(tmp_path, {"annotations/17_2.txt": "0 0 9 9\n\n1 1 8 8 3.5\n", "images/17_2.png": ""})
    (record,) = get_format("cad_authors").read(root).records
    assert record.boxes.tolist() == [[0, 0, 9, 9], [1, 1, 8, 8]] and record.scores.tolist() == [5, 3.5]
    assert (record.source_id, record.photo) == ("17", "17_2.png")
    for line, reason in (
        ("1 2 3", "not 4 or 5"),
        ("0 0 nan 3", "NaN"),
        ("5 5 1 9", "without area"),
        ("a b c d", "not 4"),
    ):
        write(root, {"annotations/17_2.txt": f"0 0 9 9\n{line}\n"})
        with pytest.raises(AnnotationError, match=rf"17_2.txt:2: .*{reason}"):
            get_format("cad_authors").read(root)


def coco(**changes):
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}],
        "annotations": [{"image_id": 1, "bbox": [1, 2, 10, 20], "score": 3.5, "gt_flag": 1}],
        "categories": [{"id": 1, "name": "crop"}],
    }
    return json.dumps(content | changes)


def test_coco_boxes(tmp_path):
    (record,) = get_format("coco").read(write(tmp_path, {"annotations.json": coco()})).records
    assert record.boxes.tolist() == [[1, 2, 11, 22]] and record.size == (40, 30)
    np.testing.assert_array_equal(record.scores, [3.5])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(categories=[{"id": 1}, {"id": 2}]), "several categories"),
        (dict(images=3), "not an object with the lists"),
        (dict(images=[{"id": 1, "file_name": "../a.jpg"}]), "leaves the dataset's folders"),
        (dict(annotations=[{"image_id": 1, "bbox": [1, 2, 0, 5]}]), r"annotation 1\): crop without area"),
        (dict(annotations=[{"image_id": 1, "bbox": [1, 2, 3]}]), "annotation 1"),
        (dict(annotations=[{"image_id": 7, "bbox": [1, 2, 3, 4]}]), "an image that is not listed"),
        (dict(annotations=[{"image_id": 1, "bbox": [0, 0, 5, 5], "score": "x"}]), "score is not"),
    ],
)
def test_coco_faults(tmp_path, changes, reason):
    with pytest.raises(AnnotationError, match=reason):
        get_format("coco").read(write(tmp_path, {"annotations.json": coco(**changes)}))
