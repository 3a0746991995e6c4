"""Files of known subjects: what is read, and what is refused with place and remedy."""

import json
from pathlib import Path

import pytest

from procrop.evaluation.known_subjects import read_known_subjects

GOOD = {"dataset": "a", "file": "x.jpg", "size": [100, 80], "what": "dog", "subject": [10, 0, 60, 80]}
OURS = Path(__file__).resolve().parents[2] / "tools" / "known_subjects.jsonl"


def write(path, *entries):
    path.write_text("".join(json.dumps(entry) + "\n\n" for entry in entries))
    return path


def test_a_line_is_read(tmp_path):
    (known,) = read_known_subjects(write(tmp_path / "s.jsonl", GOOD | {"head": [20, 5, 40.5, 30]}))
    assert (known.dataset, known.file, known.what, known.size) == ("a", "x.jpg", "dog", (100, 80))
    assert known.box("subject") == (10, 0, 60, 80) and known.box("head") == (20, 5, 40.5, 30)


def test_a_head_may_be_missing_and_datasets_are_picked(tmp_path):
    path = write(tmp_path / "s.jsonl", GOOD, GOOD | {"dataset": "b"})
    (known,) = read_known_subjects(path, ["b"])
    assert known.dataset == "b" and known.head is None
    with pytest.raises(ValueError, match="no photo of 'c'; there are a, b"):
        read_known_subjects(path, ["c"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"what": ""}, "'dataset', 'file' and 'what' must be words"),
        ({"size": [100]}, r"'size' is not \[width, height\]"),
        ({"size": [100.5, 80]}, r"'size' is not \[width, height\]"),
        ({"subject": None}, "'subject' is not"),
        ({"subject": [10, 0, 101, 80]}, "inside the photo of"),
        ({"subject": [60, 0, 10, 80]}, "with an area"),
        ({"subject": [float("nan"), 0, 60, 80]}, "'subject' is not"),
        ({"head": [0, 0, True, 5]}, "'head' is not"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, change, said):
    path = write(tmp_path / "s.jsonl", GOOD, GOOD | {"file": "y.jpg"} | change)
    with pytest.raises(ValueError, match=f"s.jsonl:3: .*{said}"):
        read_known_subjects(path)


def test_a_photo_is_listed_once(tmp_path):
    with pytest.raises(ValueError, match="s.jsonl:3: a x.jpg is listed before"):
        read_known_subjects(write(tmp_path / "s.jsonl", GOOD, GOOD))


def test_files_without_lines_or_json(tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "text").write_text("dog\n")
    with pytest.raises(ValueError, match="empty: no line"):
        read_known_subjects(tmp_path / "empty")
    with pytest.raises(ValueError, match="text:1: "):
        read_known_subjects(tmp_path / "text")
    with pytest.raises(ValueError, match="nowhere: the subjects cannot be read"):
        read_known_subjects(tmp_path / "nowhere")


def test_the_subjects_that_come_with_the_tools():
    ours = read_known_subjects(OURS)
    assert {known.dataset for known in ours} == {"photos", "bsds500", "skimage"}
    assert len(ours) >= 80 and sum(known.head is not None for known in ours) >= 40
    # a box that is nearly the photo tells nothing: every crop keeps or cuts it
    assert all(
        (k.subject[2] - k.subject[0]) * (k.subject[3] - k.subject[1]) < 0.75 * k.size[0] * k.size[1]
        for k in ours
    )
