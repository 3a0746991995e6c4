"""SACD files: a record a subject, and what is refused by name."""

import json

import pytest
from release_files import write

from procrop.datasets import AnnotationError, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

SACD = get_format("sacd")
ONE = {
    "mask_box": "[10, 20, 30, 40]",
    "best_box": [[1, 2, 50, 60], [0, 0, 9, 9]],
    "crop_box": [[0, 0, 70, 80]],
}


def release(root, **changes):
    """Photo a with subjects 0 and 1, of which 1 is for testing; ``changes`` are made to the first."""
    files = {"annotations/a_0.json": json.dumps(ONE | changes), "annotations/a_1.json": json.dumps(ONE)}
    listed = {"jsons": ["annotations/a_1.json"]}
    return write(root, files | {"test.json": json.dumps(listed), "images/a.png": "", "masks/a_0.jpg": ""})


def test_records_are_subjects(tmp_path):
    one, other = SACD.read(release(tmp_path)).records
    assert (one.img_id, other.img_id, one.source_id) == ("a_0", "a_1", "a")
    assert one.boxes.tolist() == [[1, 2, 50, 60], [0, 0, 70, 80]] and one.scores is None
    assert one.subject.tolist() == [10, 20, 40, 60] and one.photo == "images/a.png"
    assert (one.mask, other.mask) == ("masks/a_0.jpg", None)
    for split, name in (("train", "a_0"), ("test", "a_1")):
        assert [r.img_id for r in SACD.read(tmp_path, split).records] == [name]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(best_box=[]), "not lists of crops"),
        (dict(best_box=[[1, 2, "3", 4]]), "not lists of crops"),
        (dict(best_box=[[1, 2, 3]]), "not lists of crops"),
        (dict(best_box=[[1, 2, 3, 4, 5]]), "not lists of crops"),
        (dict(best_box=[[1, 2, 10**400, 4]]), "not lists of crops"),
        (dict(best_box=[[1, 2, float("nan"), 4]]), r"\(crop 1\): NaN"),
        (dict(crop_box=[[9, 9, 1, 1]]), r"\(crop 2\): crop without area"),
        (dict(crop_box=[[-9, 0, 20, 20]]), r"\(crop 2\): crop outside"),
        (dict(mask_box="[1, 2]"), "'mask_box' is not"),
        (dict(mask_box="[1, 2"), "'mask_box' is not"),
        (dict(mask_box="[1, 2, 0, 4]"), "subject: crop without area"),
    ],
)
def test_faults(tmp_path, changes, reason):
    with pytest.raises(AnnotationError, match=rf"a_0.json.*{reason}"):
        SACD.read(release(tmp_path, **changes))
    found = SACD.read(tmp_path, strict=False)
    assert "a_1" in [r.img_id for r in found.records] and len(found.problems) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "\ufeff", '{"best_box": 3}'])
def test_damaged_files_cost_their_record_alone(tmp_path, content):
    write(release(tmp_path), {"annotations/a_0.json": content})
    found = SACD.read(tmp_path, strict=False)
    assert [r.img_id for r in found.records] == ["a_1"] and "a_0.json" in found.problems.entries[0][0]


def test_byte_order_mark_and_crlf_do_no_harm(tmp_path):
    content = b"\xef\xbb\xbf" + json.dumps(ONE, indent=1).replace("\n", "\r\n").encode()
    assert len(SACD.read(write(release(tmp_path), {"annotations/a_0.json": content}))) == 2


def test_splits_need_their_list(tmp_path):
    write(release(tmp_path), {"test.json": '{"jsons": ["annotations/gone_3.json"]}'})
    with pytest.raises(AnnotationError, match="annotation missing"):
        SACD.read(tmp_path, "test")
    (tmp_path / "test.json").unlink()
    assert [dict(r.extra) for r in SACD.read(tmp_path).records] == [{}, {}]
    with pytest.raises(DatasetNotFoundError, match=r"test\.json"):
        SACD.read(tmp_path, "train")


@pytest.mark.parametrize("content", ['{"jsons": [', '{"jsons": 3}', '{"jsons": [4]}', "[]", ""])
def test_photos_for_testing_are_not_trained_on_when_their_list_is_damaged(tmp_path, content):
    write(release(tmp_path), {"test.json": content})
    for strict in (True, False):
        with pytest.raises(AnnotationError, match=r"test\.json.*tells the splits apart"):
            SACD.read(tmp_path, "train", strict)
    found = SACD.read(tmp_path, strict=False)
    assert [dict(r.extra) for r in found.records] == [{}, {}] and len(found.problems) == 1


def test_paths_of_the_list_lead_nowhere(tmp_path):
    listed = ["../../elsewhere/a_1.json", "/abs/a_0.json", "x/a_0.json", ""]
    write(release(tmp_path), {"test.json": json.dumps({"jsons": listed})})
    found = SACD.read(tmp_path, "test", strict=False)
    assert [r.img_id for r in found.records] == ["a_0", "a_1"]
    assert found.problems.by_reason().keys() == {"annotation listed twice", "no file name"}


def test_links_and_photos_present_twice(tmp_path):
    outside = write(tmp_path / "elsewhere", {"b_0.json": json.dumps(ONE)}) / "b_0.json"
    root = write(release(tmp_path / "data"), {"images/a.jpg": ""})
    (root / "annotations/b_0.json").symlink_to(outside)
    with pytest.raises(AnnotationError) as raised:
        SACD.read(root)
    assert "link that leaves" in str(raised.value) and "photo present twice" in str(raised.value)


def test_written_files_read_the_same(tmp_path):
    found, problems = SACD.read(release(tmp_path / "in")), Problems()
    SACD.save(found, tmp_path / "out", None, problems)
    assert not problems.entries
    for one, other in zip(found.records, SACD.read(tmp_path / "out").records, strict=True):
        assert one.boxes.tolist() == other.boxes.tolist() and one.extra == other.extra
        assert one.subject.tolist() == other.subject.tolist() and one.img_id == other.img_id


def test_records_without_a_split_stay_without_or_are_for_testing(tmp_path):
    found = SACD.read(release(tmp_path / "in"))
    found.records[0].extra.clear()
    problems = Problems()
    SACD.save(found, tmp_path / "out", None, problems)
    assert problems.entries[0][0] == "a_0" and "others become test" in problems.summary()
    assert len(SACD.read(tmp_path / "out", "test")) == 2
    found.records[1].extra.clear()
    SACD.save(found, tmp_path / "none", None, Problems())
    assert not (tmp_path / "none/test.json").exists()


def test_dataset_gives_subjects(tmp_path):
    config = dict(type="SACDDataset", data_root=str(release(tmp_path)), split="train", test_mode=True)
    info = DATASETS.build(config).get_data_info(0)
    assert info["subject_bbox"].tolist() == [10, 20, 40, 60] and info["mask_path"].endswith("masks/a_0.jpg")
    assert info["gt_positives"].tolist() == [True, True] and info["source_id"] == "a"
