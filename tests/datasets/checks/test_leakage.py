"""Photos that are elsewhere too: by file, picture and name."""

import hashlib

import pytest
from PIL import Image
from test_near_duplicates import picture

from procrop.datasets import CropRecord, CropSet
from procrop.datasets.checks import PhotoList, check_crops, find_leaks, find_twins, scan_photos
from procrop.datasets.checks.leakage import OTHER_PICTURE, SAME_FILE, SAME_NAME, SAME_PICTURE


@pytest.fixture
def folders(tmp_path):
    """mine/0..3.png, and other/ with a copy, a smaller copy, another picture of one's name, and a missing file."""
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    for seed in range(4):
        Image.fromarray(picture(seed)).save(tmp_path / "mine" / f"{seed}.png")
    (tmp_path / "other" / "copy.png").write_bytes((tmp_path / "mine" / "0.png").read_bytes())
    Image.fromarray(picture(1)).resize((90, 60)).save(tmp_path / "other" / "small.jpg", quality=80)
    Image.fromarray(picture(9)).save(tmp_path / "other" / "2.jpg")
    return tmp_path


def photo_list(folder, names, sources=None):
    return PhotoList([folder / name for name in names], names, sources or names)


def test_what_is_found_and_how(folders):
    mine = photo_list(folders / "mine", [f"{i}.png" for i in range(4)]).read()
    other = photo_list(folders / "other", ["copy.png", "small.jpg", "2.jpg", "sub/3.jpg"]).read()
    leaks = {(leak.photo, leak.other): leak.how for leak in find_leaks(mine, other)}
    assert leaks == {
        ("0.png", "copy.png"): SAME_FILE,
        ("1.png", "small.jpg"): SAME_PICTURE,
        ("2.png", "2.jpg"): OTHER_PICTURE,
        ("3.png", "sub/3.jpg"): SAME_NAME,
    }


def test_a_photo_that_is_gone_is_known_by_its_hash_and_its_source(folders):
    mine = photo_list(folders / "mine", ["0.png", "1.png"], ["0", "original"]).read()
    other = photo_list(folders, ["gone/x.png", "gone/y.png"], ["x", "original.jpg"])
    other.sha256[0] = hashlib.sha256((folders / "mine" / "0.png").read_bytes()).hexdigest()
    leaks = [(leak.photo, leak.other, leak.how) for leak in find_leaks(mine, other.read())]
    assert leaks == [("0.png", "gone/x.png", SAME_FILE)]
    other.sources = ["x", "original"]
    assert ("1.png", "gone/y.png", SAME_NAME) in [(k.photo, k.other, k.how) for k in find_leaks(mine, other)]


def test_twins_of_one_source_are_none(folders):
    Image.fromarray(picture(0)).save(folders / "mine" / "again.jpg", quality=70)
    names = ["0.png", "1.png", "again.jpg"]
    (twin,) = find_twins(photo_list(folders / "mine", names).read())
    assert (twin.photo, twin.other, twin.how) == (
        "0.png",
        "again.jpg",
        SAME_PICTURE,
    ) and twin.correlation > 0.95
    assert find_twins(photo_list(folders / "mine", names, ["s", "t", "s"]).read()) == []


def test_a_photo_has_at_most_five(folders):
    mine = photo_list(folders / "mine", ["0.png"]).read()
    other = photo_list(folders / "other", ["copy.png"] * 30).read()
    assert len(find_leaks(mine, other)) == 5


def test_photos_are_scanned_and_bad_ones_named(folders):
    root = folders / "mine"
    (root / "1.png").write_bytes((root / "1.png").read_bytes()[:2000])
    (root / "2.png").write_bytes(b"no")
    (root / "link.png").symlink_to(folders / "other" / "copy.png")
    names = ["0.png", "1.png", "2.png", "gone.png", "link.png"]
    found = CropSet("x", [CropRecord(name, name, [[0, 0, 9, 9]]) for name in names], root)
    found.photos = root
    headers = scan_photos(found, headers=True)
    assert set(headers.sizes) >= {"0.png", "1.png"} and headers.sizes["0.png"] == (180, 120)
    scan = scan_photos(found, decode=True)
    reasons = scan.problems.by_reason()
    assert reasons["photo missing"] == [str(root / "gone.png")]
    assert any("truncated" in reason for reason in reasons) and any(
        "no image" in reason for reason in reasons
    )
    assert set(scan.thumbnails) == {"0.png", "link.png"}


def test_crops_are_held_against_their_photos(tmp_path):
    records = [
        CropRecord("a", "a.jpg", [[0, 0, 100, 60], [0, 0, 100, 63], [0, 0, 101, 61]], subject=[0, 0, 200, 9]),
        CropRecord("b", "b.jpg", [[0, 0, 9, 9], [0, 0, 9, 9]], [1, 2]),
        CropRecord("c", "c.jpg", [[0, 0, 9, 9], [0, 0, 9, 9]]),
        CropRecord("d1", "d.jpg", [[0, 0, 9, 9]]),
        CropRecord("d2", "d.jpg", [[0, 0, 9, 9]]),
        CropRecord("e1", "e.jpg", [[0, 0, 9, 9]], subject=[0, 0, 5, 5]),
        CropRecord("e2", "e.jpg", [[0, 0, 9, 9]], subject=[4, 4, 9, 9]),
    ]
    reasons = check_crops(CropSet("x", records, tmp_path), {"a.jpg": (100, 60)}).by_reason()
    assert reasons["crop outside its photo"] == ["a (crop 2: 0 0 100 63; photo 100x60)"]
    assert reasons["subject outside its photo"] == ["a (subject)"]
    assert reasons["crop scored twice"] == ["b (1 crops)"]
    assert [place for reason, (place, *_) in reasons.items() if "several records" in reason] == [
        "d.jpg (d1, d2)"
    ]
    assert len(reasons) == 4
