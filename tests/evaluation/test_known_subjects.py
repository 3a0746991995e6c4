"""Files of known subjects: what is read, and what is refused with place and remedy."""

import json
from pathlib import Path

import pytest

from procrop.evaluation.known_subjects import read_known_subjects

GOOD = {"dataset": "a", "file": "x.jpg", "size": [100, 80], "what": "dog", "subject": [10, 0, 60, 80]}
OURS = Path(__file__).resolve().parents[2] / "tools" / "known_subjects.jsonl"
UNTOUCHED = OURS.with_name("untouched_subjects.jsonl")


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
    assert all(share_of_photo(known) < 0.75 for known in ours)


def test_the_untouched_subjects_are_of_no_photo_that_was_looked_at():
    untouched = read_known_subjects(UNTOUCHED)
    assert 45 <= len(untouched) <= 50 and sum(known.head is not None for known in untouched) >= 35
    assert {known.dataset for known in untouched} == {"bsds500"}
    assert {known.file.split("/")[0] for known in untouched} == {"train", "val"}
    looked_at = {Path(known.file).name for known in read_known_subjects(OURS)}
    looked_at |= {Path(line).name for line in OURS.with_name("forty_photos.txt").read_text().splitlines()}
    assert not looked_at & {Path(known.file).name for known in untouched}
    assert all(share_of_photo(known) < 0.75 for known in untouched)


def share_of_photo(known):
    """A box that is nearly the photo tells nothing: every crop keeps or cuts it."""
    x1, y1, x2, y2 = known.subject
    return (x2 - x1) * (y2 - y1) / (known.size[0] * known.size[1])
