"""AVA's selection rule."""

import random

import pytest

from procrop.retrieval.sources import AVASource, GallerySourceError


def row(number, photo_id, votes):
    return " ".join(map(str, [number, photo_id, *votes, 1, 22, 1396]))


def votes(**counts):
    return [counts.get(f"v{mark}", 0) for mark in range(1, 11)]


@pytest.fixture
def root(tmp_path):
    """Means: 7 -> 5, 3 -> 8, 12 -> 5, 5 -> 6.5, 9 -> 1."""
    rows = {
        7: votes(v5=10),
        3: votes(v8=1),
        12: votes(v4=3, v6=3),
        5: votes(v6=50, v7=50),
        9: votes(v1=200),
    }
    lines = [row(i, photo_id, counts) for i, (photo_id, counts) in enumerate(rows.items(), 1)]
    (tmp_path / "AVA.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "images").mkdir()
    for photo_id in rows:
        (tmp_path / "images" / f"{photo_id}.jpg").write_bytes(b"x")
    return tmp_path


def ids(source):
    return [int(item.source_id) for item in source.items()]


def test_best_first_and_equal_means_by_id(root):
    source = AVASource(root)
    assert ids(source) == [3, 5, 7, 12, 9] and source.report == {}
    assert source.items()[0].path == source.root / "3.jpg" == root / "images" / "3.jpg"
    assert source.scores() == {7: 5.0, 3: 8.0, 12: 5.0, 5: 6.5, 9: 1.0}


def test_the_order_of_the_file_means_nothing(root):
    lines = (root / "AVA.txt").read_text().splitlines()
    random.Random(0).shuffle(lines)
    (root / "AVA.txt").write_text("\r\n".join(lines))
    assert ids(AVASource(root, top=3)) == [3, 5, 7]


def test_missing_photos_are_reported_and_not_replaced(root):
    (root / "images" / "5.jpg").unlink()
    source = AVASource(root, top=3)
    assert ids(source) == [3, 7]
    assert source.report == {"photo not on the disk": [str(root / "images" / "5.jpg")]}
    assert ids(AVASource(root, top=4)) == [3, 7, 12]


def test_bad_lines_are_reported_by_number(root):
    bad = [
        "",
        "1 2 3",
        row(6, 100, votes()),
        row(7, 101, [-1, *votes(v2=3)[1:]]),
        row(8, 3, votes(v9=1)),
        "a b",
    ]
    with open(root / "AVA.txt", "a") as file:
        file.write("\n".join(bad))
    source = AVASource(root)
    assert ids(source) == [3, 5, 7, 12, 9]
    assert {
        reason: [place.rpartition(":")[2] for place in places] for reason, places in source.report.items()
    } == {
        "not 15 whole numbers": ["7", "11"],
        "no votes, or fewer than none": ["8", "9"],
        "photo listed twice": ["10"],
    }
    assert source.report_lines()[0] == f"2 x not 15 whole numbers: {root}/AVA.txt:7, {root}/AVA.txt:11"


def test_what_is_missing_is_named(root):
    with pytest.raises(ValueError, match="top must be at least 1"):
        AVASource(root, top=0)
    with pytest.raises(GallerySourceError, match="none.txt.*cannot be read"):
        AVASource(root, ratings="none.txt").items()
    with pytest.raises(GallerySourceError, match="elsewhere.*cannot be listed"):
        AVASource(root, images="elsewhere").items()
    for path in (root / "images").iterdir():
        path.unlink()
    with pytest.raises(GallerySourceError, match="no photo to use.*5 x photo not on the disk"):
        AVASource(root).items()
