"""Files of predictions: what is read, what is refused and how it is said."""

import json

import numpy as np
import pytest

from procrop.datasets.problems import Problems
from procrop.evaluation.predictions import read_predictions

GOOD = {"img_id": "a", "size": [640, 480], "boxes": [[0, 0, 10.5, 20]], "scores": [0.5]}


def _read(tmp_path, *lines):
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines))
    problems = Problems()
    return read_predictions(path, problems), problems.entries


def test_reads_what_the_dump_writes_and_what_others_may(tmp_path):
    others = [
        {"img_id": 17, "boxes": [[1, 2, 3, 4], [5, 6, 7, 8]]},
        {"img_id": "empty", "boxes": []},
        {"img_id": "ranker", "candidate_scores": [0.1, 0.3], "model": "x"},
    ]
    found, problems = _read(tmp_path, b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r", b"", *others)
    assert problems == [] and list(found) == ["a", "17", "empty", "ranker"]
    assert found["a"].size == (640, 480) and found["a"].boxes.tolist() == [[0, 0, 10.5, 20]]
    assert found["17"].size is None and np.argmax(found["17"].scores) == 0  # best first
    assert found["empty"].boxes.shape == (0, 4) and found["ranker"].boxes is None
    assert found["ranker"].candidate_scores.tolist() == [0.1, 0.3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b"[" * 100_000, "not a line of JSON"),
        (b"[1, 2]", "not a JSON object"),
        ({"boxes": []}, "no 'img_id'"),
        ({"img_id": True, "boxes": []}, "no 'img_id'"),
        ({"img_id": "b"}, "neither 'boxes' nor"),
        ({"img_id": "b", "boxes": [[1, 2, 3]]}, "'boxes' is no list of"),
        ({"img_id": "b", "boxes": [[1, 2, 3, 4], [1, 2]]}, "'boxes' is no list of"),
        ({"img_id": "b", "boxes": [["1", "2", "3", "4"]]}, "'boxes' is no list of"),
        ({"img_id": "b", "boxes": {"x": 1}}, "'boxes' is no list of"),
        ({"img_id": "b", "boxes": [[1, 2, 3, 4]], "scores": [1, 2]}, "not as many as"),
        ({"img_id": "b", "boxes": [[1, 2, 3, 4]], "scores": [None]}, "'scores' is no list of numbers"),
        (b'{"img_id": "b", "boxes": [[1, 2, 3, NaN]]}', "not finite"),
        (b'{"img_id": "b", "boxes": [[1, 2, 3, 1e999]]}', "not finite"),
        ({"img_id": "b", "boxes": [], "size": [640]}, "'size' is not"),
        ({"img_id": "b", "boxes": [], "size": [640, 0]}, "'size' is not"),
        ({"img_id": "b", "boxes": [], "size": [640.5, 3]}, "'size' is not"),
        ({**GOOD, "scores": [0.9]}, "has a line already"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_the_others_count(tmp_path, line, reason):
    found, problems = _read(tmp_path, GOOD, line)
    assert list(found) == ["a"] and found["a"].scores.tolist() == [0.5]
    ((place, said),) = problems
    assert place.endswith("p.jsonl:2") and reason in said


def test_files_without_any_prediction_are_errors(tmp_path):
    with pytest.raises(ValueError, match="p.jsonl: no usable line.*it is empty"):
        _read(tmp_path, b"")
    with pytest.raises(ValueError, match="no usable line.*2 x not a line of JSON"):
        _read(tmp_path, b"{", b"}")
    with pytest.raises(ValueError, match="nowhere.*cannot be read"):
        read_predictions(tmp_path / "nowhere", Problems())
