"""COCO-style files of crops, and objects that are no crops."""

import json
import math

import numpy as np
import pytest

from procrop.datasets import AnnotationError, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet
from procrop.registry import DATASETS

COCO = get_format("coco")
IMAGE = {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}
CROP = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 10, 20], "score": 3.5, "gt_flag": 1}


def write(root, name="annotations.json", **changes):
    """A file of one image and one crop, and a second image that is sound, with ``changes``."""
    images = changes.pop("images", [IMAGE])
    annotations = changes.pop("annotations", [CROP])
    if isinstance(images, list) and isinstance(annotations, list):
        images = [*images, {"id": "sound", "file_name": "sound.jpg"}]
        annotations = [*annotations, CROP | {"image_id": "sound"}]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "crop"}]}
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | changes))
    return root


def test_boxes_sizes_and_scores(tmp_path):
    one, other = COCO.read(write(tmp_path)).records
    assert one.boxes.tolist() == [[1, 2, 11, 22]] and one.size == (40, 30) and other.size is None
    assert one.scores.tolist() == [3.5] and one.img_id == "a"


def test_candidates_are_kept_with_their_score(tmp_path):
    candidate = {"image_id": 1, "bbox": [0, 0, 9, 9], "gt_flag": 0}
    root = write(tmp_path, annotations=[CROP, candidate | {"score": 1.5}])
    assert COCO.read(root).records[0].scores.tolist() == [3.5, 1.5]
    unscored = {key: value for key, value in CROP.items() if key != "score"}
    root = write(tmp_path, annotations=[unscored, candidate])
    with pytest.raises(AnnotationError, match=r"annotation 2\): candidate \(gt_flag 0\) without a score"):
        COCO.read(root)
    first = COCO.read(root, strict=False).records[0]
    assert first.boxes.tolist() == [[1, 2, 11, 22]] and first.scores is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(categories=[{"id": 1, "name": "crop"}, {"id": 2, "name": "cat"}]), "several categories"),
        (dict(categories=[{"id": 1, "name": "person"}]), "category 'person': these are objects, not crops"),
        (dict(categories=[{"id": [], "name": "crop"}]), "'id' is no number"),
        (dict(categories=3), "'categories' is not"),
        (dict(images=3), "not an object with the lists"),
        (dict(annotations=None), "not an object with the lists"),
    ],
)
def test_files_that_are_refused(tmp_path, changes, reason):
    with pytest.raises(AnnotationError, match=rf"annotations\.json: .*{reason}"):
        COCO.read(write(tmp_path, **changes))
    with pytest.raises(AnnotationError, match=rf"no usable record; 1 x .*{reason}"):
        COCO.read(tmp_path, strict=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(images=[IMAGE | {"file_name": "../a.jpg"}]), r"image 1\): name that leaves"),
        (dict(images=[IMAGE | {"file_name": "/a.jpg"}]), r"image 1\): name that leaves"),
        (dict(images=[IMAGE | {"file_name": None}]), r"image 1\): no file name"),
        (dict(images=[IMAGE | {"width": math.nan}]), r"image 1\): 'width' and 'height'"),
        (dict(images=[IMAGE | {"height": 0}]), r"image 1\): 'width' and 'height'"),
        (dict(images=[{"id": 1, "file_name": "a.jpg", "width": 9}]), r"image 1\): 'width' and 'height'"),
        (dict(images=[IMAGE | {"img_id": 5}]), r"image 1\): 'img_id'"),
        (dict(images=[IMAGE | {"id": True}], annotations=[]), r"image 1\): not an object with 'id'"),
        (dict(images=[7], annotations=[]), r"image 1\): not an object with 'id'"),
        (dict(images=[IMAGE], annotations=[]), r"image 1\): no usable crop"),
        (dict(images=[IMAGE, IMAGE | {"file_name": "b.jpg"}]), r"image 2\): image id listed twice"),
        (dict(images=[IMAGE, IMAGE | {"id": 2}]), r"image 2\): record listed twice"),
        (dict(annotations=[CROP, 3]), r"annotation 2\): not an object with 'image_id'"),
        (dict(annotations=[CROP, CROP | {"bbox": [1, 2, 3]}]), r"annotation 2\): not an object"),
        (dict(annotations=[CROP, CROP | {"bbox": [1, 2, "3", 4]}]), r"annotation 2\): not an object"),
        (dict(annotations=[CROP, CROP | {"image_id": [1]}]), r"annotation 2\): not an object"),
        (dict(annotations=[CROP, CROP | {"bbox": [1, 2, 0, 5]}]), r"annotation 2\): crop without area"),
        (dict(annotations=[CROP, CROP | {"bbox": [1, 2, math.nan, 5]}]), r"annotation 2\): NaN"),
        (dict(annotations=[CROP, CROP | {"bbox": [1, 2, 100, 5]}]), r"annotation 2\): crop outside"),
        (dict(annotations=[CROP, CROP | {"image_id": 7}]), "an image that is not listed"),
        (dict(annotations=[CROP, CROP | {"category_id": 9}]), r"annotation 2\): 'category_id'"),
        (dict(annotations=[CROP, CROP | {"score": "x"}]), r"annotation 2\): score is not"),
        (dict(annotations=[CROP, CROP | {"score": math.inf}]), r"annotation 2\): score is not"),
        (dict(annotations=[CROP, CROP | {"score": 10**400}]), r"annotation 2\): score is not"),
        (dict(annotations=[CROP, CROP | {"score": None}]), r"image 1\): some of its crops"),
    ],
)
def test_entries_that_are_refused(tmp_path, changes, reason):
    with pytest.raises(AnnotationError, match=reason):
        COCO.read(write(tmp_path, **changes))
    found = COCO.read(tmp_path, strict=False)
    assert found.records[-1].img_id == "sound" and len(found.problems) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_damaged_files(tmp_path, content):
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(AnnotationError, match=r"annotations\.json: not"):
        COCO.read(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="split 'val'"):
        COCO.read(tmp_path, "val")


def test_byte_order_mark_crlf_and_no_categories(tmp_path):
    file = write(tmp_path, categories=[]) / "annotations.json"
    text = json.dumps(json.loads(file.read_text()), indent=1).replace("\n", "\r\n")
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert len(COCO.read(tmp_path)) == 2


def test_written_splits_and_several_records_a_photo(tmp_path):
    boxes = np.array([[0.1, 0.2, 33.3, 44.4], [1, 2, 3, 4]])
    made = [
        CropRecord(f"p_{k}", "p.jpg", boxes + k, size=(90, 80), scores=[1 / 3, 4], extra={"split": "val"})
        for k in range(2)
    ]
    problems = Problems()
    COCO.save(CropSet("", [*made, CropRecord("q", "x/q.jpg", boxes)], tmp_path), tmp_path, None, problems)
    found = COCO.read(tmp_path, "val")
    assert not problems.entries and [r.img_id for r in found.records] == ["p_0", "p_1"]
    for one, other in zip(made, found.records, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes, rtol=1e-15, atol=1e-13)
        assert one.scores.tolist() == other.scores.tolist() and one.size == other.size
    assert len(COCO.read(tmp_path)) == 3


def test_many_entries_take_time_in_proportion(tmp_path):
    # one quadratic step over these would take minutes
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(10_000)]
    annotations = [CROP | {"image_id": n % 10_000} for n in range(50_000)]
    found = COCO.read(write(tmp_path, images=images, annotations=annotations))
    assert len(found) == 10_001 and len(found.records[7].boxes) == 5


def test_dataset(tmp_path):
    root = write(tmp_path, "annotations/train.json", images=[])
    (root / "images").mkdir()
    (root / "images/sound.jpg").touch()
    config = dict(type="CropCOCODataset", data_root=str(root), split="train", strict=False)
    dataset = DATASETS.build(config | dict(positive_threshold=3.0))
    assert dataset.get_data_info(0)["gt_scores"].tolist() == [3.5] and len(dataset) == 1
