"""CAD's two layouts: sources stay on one side of a split, and bad lines are named."""

import json

import pytest
from release_files import write

from procrop.datasets import AnnotationError, DatasetNotFoundError
from procrop.datasets.formats import get_format
from procrop.datasets.problems import Problems
from procrop.registry import DATASETS

CAD, TEXT = get_format("cad"), get_format("cad_authors")


def lines(sources, each=2, **fields):
    """``each`` photos a source; a field may be a function of source and number."""
    made = []
    for s in range(sources):
        for n in range(each):
            line = {"photo": f"{s}_{n}.jpg", "source_id": f"s{s}", "crops": [{"box": [0, 0, 9, 9]}]}
            made.append(line | {key: value(s, n) for key, value in fields.items()})
    return "\n".join(map(json.dumps, made))


def sources(root, split, **options):
    return {record.source_id for record in CAD.read(root, split, **options).records}


def test_drawn_splits_keep_the_photos_of_a_source_together(tmp_path):
    root = write(tmp_path, {"annotations.jsonl": lines(120, 3)})
    train, val = sources(root, "train"), sources(root, "val")
    assert len(val) == 2 and not val & train and len(val | train) == 120
    assert len(CAD.read(root, "val")) == 6 and len(CAD.read(root)) == 360
    with pytest.raises(DatasetNotFoundError, match="state a test split"):
        CAD.read(root, "test")
    # the draw hangs on the sources' names alone
    other_order = "\n".join(reversed(lines(120, 3).splitlines()))
    assert sources(write(tmp_path / "b", {"annotations.jsonl": other_order}), "val") == val


def test_lines_that_state_their_split(tmp_path):
    names = ("train", "val", "test")
    root = write(tmp_path, {"annotations.jsonl": lines(6, split=lambda s, n: names[s % 3])})
    assert [sources(root, name) for name in names] == [{"s0", "s3"}, {"s1", "s4"}, {"s2", "s5"}]


def test_sources_on_both_sides_are_refused(tmp_path):
    text = lines(2, split=lambda s, n: "val" if (s, n) == (1, 1) else "train")
    root = write(tmp_path / "in", {"annotations.jsonl": text})
    with pytest.raises(AnnotationError, match=r"jsonl \('1_1'\): photos of one source in two splits"):
        CAD.read(root, "train")
    found = CAD.read(root, strict=False)
    assert [r.img_id for r in found.records] == ["0_0", "0_1", "1_0"]
    # nor are they written: what is written can be read
    found, problems = get_format("jsonl").read(root), Problems()
    CAD.save(found, tmp_path / "out", None, problems)
    assert problems.entries == [("1_1", "photos of one source in two splits")]
    assert len(CAD.read(tmp_path / "out")) == 3


def test_split_files_name_sources_and_come_first(tmp_path):
    root = write(
        tmp_path,
        {
            "annotations.jsonl": lines(4, split=lambda s, n: "train"),
            "splits/val.txt": "s1\r\n\r\ns2\r\n",
            "splits/train.txt": "\ufeffs0\n",
        },
    )
    assert (sources(root, "train"), sources(root, "val")) == ({"s0"}, {"s1", "s2"})
    rest = [r for r in CAD.read(root).records if "split" not in r.extra]
    assert {r.source_id for r in rest} == {"s3"}
    with pytest.raises(DatasetNotFoundError, match=r"splits/test\.txt"):
        CAD.read(root, "test")
    write(root, {"splits/train.txt": "s0\ns1\nnobody\n../s3\ns0\n"})
    found = CAD.read(root, strict=False)
    assert sorted(found.problems.by_reason()) == [
        "name listed twice",
        "name that leaves the dataset's folders",
        "source listed in two splits",
        "source without photos",
    ]
    assert {r.source_id for r in found.records if r.extra.get("split") == "train"} == {"s0", "s1"}


def test_provenance_is_kept(tmp_path):
    root = write(tmp_path, {"annotations.jsonl": lines(1, extra=lambda s, n: {"seed": n, "model": "m"})})
    assert [r.extra["seed"] for r in CAD.read(root).records] == [0, 1]
    dataset = DATASETS.build(dict(type="CADDataset", data_root=str(root), strict=False, lazy_init=True))
    assert dataset.crop_format().name == "cad"


def test_text_files(tmp_path):
    text = b"\xef\xbb\xbf0 0 9 9\r\n\r\n1 1\t8 8 3.5\r\n"
    root = write(
        tmp_path, {"annotations/17_2.txt": text, "images/17_2.png": "", "annotations/b.txt": "0 0 1 1"}
    )
    one, other = TEXT.read(root).records
    assert one.boxes.tolist() == [[0, 0, 9, 9], [1, 1, 8, 8]] and one.scores.tolist() == [5, 3.5]
    assert (one.source_id, one.photo, other.source_id, other.photo) == ("17", "17_2.png", "b", "b.jpg")
    write(root, {"annotations/a_b_123.txt": "0 0 1 1"})
    assert "a_b" in [r.source_id for r in TEXT.read(root).records]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 2 3", "not 4 or 5"),
        ("1 2 3 4 5 6", "not 4 or 5"),
        ("a b c d", "not 4 or 5"),
        ("1_0 2 30 40", "not 4 or 5"),
        ("0 0 nan 3", "NaN"),
        ("0 0 3 3 inf", "NaN, infinite"),
        ("0 0 1e9 3", "absurdly large"),
        ("5 5 1 9", "crop without area"),
        ("-9 5 10 9", "crop outside its photo"),
    ],
)
def test_bad_lines_of_text_files(tmp_path, line, reason):
    root = write(tmp_path, {"annotations/17_2.txt": f"0 0 9 9\n{line}\n"})
    with pytest.raises(AnnotationError, match=rf"17_2.txt:2: .*{reason}"):
        TEXT.read(root)
    found = TEXT.read(root, strict=False)
    assert found.records[0].boxes.tolist() == [[0, 0, 9, 9]] and len(found.problems) == 1


def test_files_of_text_that_cannot_be_used(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="annotations"):
        TEXT.read(tmp_path)
    outside = write(tmp_path, {"x_1.txt": "0 0 1 1"}) / "x_1.txt"
    root = write(
        tmp_path / "data",
        {
            "annotations/a_0.txt": "\n",
            "annotations/b_0.txt": "0 0 1 1",
            "annotations/c_0.txt": "0 0 1 1",
            "annotations/e_0.txt": "\xff\xfe 1 2 3",
            "images/b_0.png": "",
            "images/b_0.jpg": "",
        },
    )
    (root / "annotations/d_0.txt").symlink_to(outside)
    (root / "annotations/f_0.txt").mkdir()
    found = TEXT.read(root, strict=False)
    assert [r.img_id for r in found.records] == ["c_0"]
    reasons = "\n".join(found.problems.by_reason())
    for part in ("no crop in", "present twice", "link that leaves", "not 4 or 5", "cannot be read"):
        assert part in reasons, part


def test_text_files_are_written_with_their_sources(tmp_path):
    root = write(tmp_path / "in", {"annotations.jsonl": lines(2)})
    found, problems = CAD.read(root), Problems()
    TEXT.save(found, tmp_path / "out", None, problems)
    assert "needs scores" in problems.summary()
    # ids that do not end in their source's name get a number, and become their own source
    assert [r.img_id for r in TEXT.read(tmp_path / "out").records] == ["0_0_0", "0_1_0", "1_0_0", "1_1_0"]
    dataset = DATASETS.build(dict(type="CADAuthorsDataset", data_root=str(tmp_path / "out"), lazy_init=True))
    assert dataset.crop_format().name == "cad_authors"
