import json
import os

import numpy as np
import pytest

from procrop.inference import CropResult, Reference


def test_a_result_as_a_line_of_json():
    result = CropResult(
        "a.jpg",
        (640, 480),
        np.array([[1.23456, 2, 300, 400.5]]),
        np.array([0.75]),
        [
            Reference(
                7, "sub/ref.jpg", 0.5, "/gallery/sub/ref.jpg", title="Reef", author="Li", licence="CC0-1.0"
            ),
            Reference(2, "b.jpg", 0.25),
        ],
    )
    assert [reference.credit for reference in result.references] == ["Reef, Li, CC0-1.0", ""]
    nobodys = dict(title=None, author=None, licence=None)
    credited = dict(title="Reef", author="Li", licence="CC0-1.0")
    line = result.to_json()
    assert "\n" not in line
    assert json.loads(line) == {
        "path": "a.jpg",
        "size": [640, 480],
        "crops": [{"box": [1.235, 2.0, 300.0, 400.5], "score": 0.75, "focal_point": [23.53, 41.93]}],
        "references": [
            {"id": 7, "name": "sub/ref.jpg", "score": 0.5, "path": "/gallery/sub/ref.jpg", "weight": 1}
            | credited,
            {"id": 2, "name": "b.jpg", "score": 0.25, "path": None, "weight": 1} | nobodys,
        ],
        "caption": None,
        "caption_source": None,
        "notes": [],
    }


def test_a_caption_is_in_the_line_with_where_it_came_from():
    result = CropResult("a.jpg", (9, 9), caption="der Hund, 狗", caption_source="given")
    line = result.to_json()
    assert line.isascii()
    assert json.loads(line)["caption"] == "der Hund, 狗" and json.loads(line)["caption_source"] == "given"


def test_a_rejected_photo_says_why_and_nothing_else():
    assert json.loads(CropResult("a.jpg", (9, 9), rejected="the file is empty").to_json()) == {
        "path": "a.jpg",
        "rejected": "the file is empty",
    }


def test_a_name_that_is_no_utf8_survives_the_file(tmp_path):
    name = os.fsdecode(b"caf\xe9\n.jpg")
    (tmp_path / "line.jsonl").write_text(CropResult(name).to_json(), encoding="ascii")
    assert os.fsencode(json.loads((tmp_path / "line.jsonl").read_text())["path"]) == b"caf\xe9\n.jpg"


def test_nan_never_reaches_a_file():
    with pytest.raises(ValueError):
        CropResult("a.jpg", (9, 9), np.array([[0, 0, 5, 5.0]]), np.array([np.nan])).to_json()
