"""CPC's doubly encoded annotation files."""

import json

import numpy as np
import pytest

from procrop.datasets.errors import AnnotationError
from procrop.datasets.formats.cpc import read_cpc_annotation

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
