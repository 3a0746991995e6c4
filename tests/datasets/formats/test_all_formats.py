"""What holds for every format: written files read the same, from any format to any other, and losses are told."""

from dataclasses import replace

import numpy as np
import pytest

from procrop.datasets.formats import FORMATS, get_format
from procrop.datasets.problems import Problems
from procrop.datasets.records import CropRecord, CropSet

# formats that keep one crop a photo
SINGLE = {"fcdb"}
WHOLE = np.array([[10, 20, 300, 200], [0, 0, 320, 240], [40, 30, 200, 180.0]])


def records(name):
    """Three records as the format itself would give them, written and read once."""
    made = [
        CropRecord(
            img_id=f"photo_{n}",
            photo=f"photo_{n}.jpg",
            boxes=WHOLE[:1] if name in SINGLE else WHOLE + n,
            scores=[2.5, 1.25, 4.0][: 1 if name in SINGLE else 3],
            source_id="photo" if n < 3 else "other",  # no source in two splits
            subject=[20, 30, 60, 80],
            size=(640, 480),
            extra={"split": split},
        )
        for n, split in ((1, "train"), (2, "train"), (3, "test"))
    ]
    return CropSet("made", made, None)


def written(found, name, root):
    problems = Problems()
    get_format(name).save(found, root, None, problems)
    for record in found.records:  # readers that look for photos find them
        for place in get_format(name).places(record, None).values():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).touch()
    return get_format(name).read(root), problems


@pytest.mark.parametrize("source", sorted(FORMATS))
def test_from_this_format_to_any(tmp_path, source):
    start, _ = written(records(source), source, tmp_path / "start")
    assert len(start) == 3
    for name in sorted(FORMATS):
        if name == "icdb" and source in SINGLE:  # it takes photos with three crops only
            continue
        found, problems = written(start, name, tmp_path / name)
        told = problems.summary()
        if source == "sacd" and name == "icdb":
            assert len(found) == 2 and "one name" in told
            continue
        assert len(found) == 3, (name, found.problems.entries)
        pairs = zip(by_number(start), by_number(found), strict=True)
        for one, other in pairs:
            if len(one.boxes) == len(other.boxes):
                order = np.arange(len(one.boxes))
                if name == "sacd" and one.scores is not None:  # the best crop comes first
                    order = np.argsort(-one.scores, kind="stable")
                np.testing.assert_allclose(other.boxes, one.boxes[order], atol=0.01, err_msg=name)
            else:
                assert name in SINGLE and "one crop" in told
            if one.scores is not None and other.scores is None:
                assert "no place for scores" in told
            elif one.scores is not None and len(one.scores) == len(other.scores):
                np.testing.assert_array_equal(other.scores, one.scores)
            elif other.scores is not None and one.scores is None:
                assert "needs scores" in told and set(other.scores) == {5.0}
            if one.subject is not None and other.subject is None:
                assert "no place for subjects" in told
            elif one.subject is not None:
                np.testing.assert_array_equal(other.subject, one.subject)


def by_number(found):
    """Records in the order of the number that their photo's name holds."""
    return sorted(found.records, key=lambda r: [c for c in r.photo if c.isdigit()][:1])


def test_the_generic_format_keeps_everything(tmp_path):
    boxes = np.array([[0.1, 0.2, 1 / 3, 2e2 / 3], [0, 0, 4, 5]])
    extra = {"licence": "CC0", "seeds": [1, 2], "split": "val"}
    record = CropRecord(
        "id", "a/b.jpg", boxes, [0.1, 1 / 3], "src", (90, 80), [1, 2, 3.5, 4], "m.png", ("x",), extra
    )
    bare = replace(
        record, img_id="a/c", photo="a/c.jpg", scores=None, source_id="a/c", subject=None, mask=None
    )
    found, problems = written(
        CropSet("", [record, replace(bare, extra={}, tags=(), size=None)], None), "jsonl", tmp_path
    )
    assert not problems.entries
    for one, other in zip([record, bare], found.records, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert (one.img_id, one.photo, one.source_id, one.mask) == (
            other.img_id,
            other.photo,
            other.source_id,
            other.mask,
        )
    again = found.records[0]
    assert again.scores.tolist() == record.scores.tolist() and again.subject.tolist() == [1, 2, 3.5, 4]
    assert (again.size, again.tags, dict(again.extra)) == ((90, 80), ("x",), extra)
    assert found.records[1].scores is None and found.records[1].size is None and not found.records[1].extra
