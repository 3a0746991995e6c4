"""ICDB's text file: order of the coordinates, bad lines, photographers as splits, writing."""

import numpy as np
import pytest

from procrop.datasets import AnnotationError, CropRecord, CropSet, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems

ICDB = get_format("icdb")
TEXT = "animal\\1.jpg\n5 50 10 90\n0 60 0 100\n1 2 3 4\nhuman\\2.JPG\n1 2 3 4\n5 6 7 8\n9 10 11 12\n"


def write(root, text):
    (root / "All_Images").mkdir(exist_ok=True)
    (root / "Cropping parameters.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def test_order_of_the_coordinates_and_the_photographers(tmp_path):
    root = write(tmp_path, TEXT)
    first, second = ICDB.read(root).records
    assert first.boxes.tolist() == [[10, 5, 90, 50], [0, 0, 100, 60], [3, 1, 4, 2]]
    assert (first.img_id, first.photo, first.tags, first.scores) == ("1", "1.jpg", ("animal",), None)
    assert second.photo == "2.JPG" and second.tags == ("human",)
    (one, _) = ICDB.read(root, "photographer2").records
    assert one.boxes.tolist() == [[0, 0, 100, 60]]


def test_marks_blank_lines_and_separators_do_no_harm(tmp_path):
    text = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n\r\n").replace("5 50 10", "5,50\t10").encode()
    assert ICDB.read(write(tmp_path, text)).records[0].boxes[0].tolist() == [10, 5, 90, 50]


@pytest.mark.parametrize(
    "old, new, place, reason",
    [
        ("5 50 10 90", "5 50 10 x", ":2", "not 4 numbers"),
        ("5 50 10 90", "50 5 10 90", ":2", "crop without area"),
        ("5 50 10 90", "5 50 10", ":2", "not 4 numbers"),
        ("5 50 10 90", "5 nan 10 90", ":2", "NaN"),
        ("5 50 10 90\n", "", ":1", "2 crops in place"),
        ("1 2 3 4\nhuman", "1 2 3 4\n1 2 3 4\nhuman", ":1", "4 crops in place"),
        ("animal\\1", "animal\\..\\../1", ":1", "leaves the dataset"),
        ("animal", "5 6 7 8\nanimal", ":1", "line before the first"),
    ],
)
def test_bad_lines_are_named(tmp_path, old, new, place, reason):
    root = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(AnnotationError, match=f"parameters.txt{place}: .*{reason}"):
        ICDB.read(root)
    assert "2" in [record.img_id for record in ICDB.read(root, strict=False).records]


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="All_Images"):
        ICDB.read(tmp_path)
    with pytest.raises(ValueError, match="photographer1, photographer2"):
        ICDB.read(tmp_path, "train")


def test_written_files_read_the_same_and_losses_are_said(tmp_path):
    found, problems = ICDB.read(write(tmp_path, TEXT)), Problems()
    (tmp_path / "out").mkdir()
    ICDB.save(found, tmp_path / "out", None, problems)
    again = ICDB.read(tmp_path / "out")
    assert not problems.entries
    for one, other in zip(found.records, again.records, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert (one.img_id, one.photo, one.tags) == (other.img_id, other.photo, other.tags)
    boxes = [[0, 0, 5.25 + i, 5] for i in range(4)]
    records = [CropRecord("a", "a.jpg", boxes, [1, 2, 3, 4]), CropRecord("b", "b.jpg", boxes[:2])]
    ICDB.save(CropSet("x", records, tmp_path), tmp_path / "out", None, problems)
    assert len(problems.by_reason()) == 3
    (only,) = ICDB.read(tmp_path / "out").records
    assert only.boxes.tolist() == boxes[1:]
    with pytest.raises(ValueError, match="cannot be written as 'photographer1'"):
        ICDB.save(found, tmp_path / "out", "photographer1", problems)
