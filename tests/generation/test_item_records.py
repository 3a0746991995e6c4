"""Items that are written together are the same as those written one by one."""

import numpy as np
import pytest

from procrop.generation.item_records import ANNOTATIONS, ItemFolder, ItemRecord

ROW = {"size": [8, 6], "extra": {"a": [1, 2.5], "b": "ü"}}
IMAGE = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
ITEMS = [
    (ItemRecord("a_0", "f", "1" * 64, ROW), IMAGE),
    (ItemRecord("a_1", "f", "1" * 64, ROW), IMAGE[:, ::-1]),
    (ItemRecord("b_0", "f", None, dropped=("reading", "no photo"), whole_source=True), None),
]


def contents(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_together_and_one_by_one(tmp_path):
    for record, image in ITEMS:
        ItemFolder(tmp_path / "one by one", 90).commit(record, image)
    together = ItemFolder(tmp_path / "together", 90)
    together.commit_together(ITEMS)
    assert contents(tmp_path / "together") == contents(tmp_path / "one by one")
    assert all(together.is_whole(together.read(record.key)) for record, _ in ITEMS)


def test_older_photos_go_with_all_annotations(tmp_path):
    folder = ItemFolder(tmp_path, 90)
    folder.commit_together(ITEMS)
    (tmp_path / ANNOTATIONS).write_text("")
    folder.commit_together([(ItemRecord("c_0", "f", "2" * 64, ROW), IMAGE)])
    assert (tmp_path / ANNOTATIONS).exists()  # it tells of other photos
    folder.commit_together([(ItemRecord("a_0", "g", "1" * 64, dropped=("windows", "few")), None)])
    assert not (tmp_path / ANNOTATIONS).exists() and not folder.image_path("a_0").exists()
    assert folder.read("a_0").dropped == ("windows", "few") and folder.image_path("a_1").exists()


def test_a_record_means_that_its_photo_is_there(tmp_path, monkeypatch):
    def no_space(self, image):
        raise OSError(28, "No space left on device")

    folder = ItemFolder(tmp_path, 90)
    folder.commit_together(ITEMS[:1])
    monkeypatch.setattr(ItemFolder, "_jpeg", no_space)
    with pytest.raises(OSError, match="No space left"):
        folder.commit_together(ITEMS[1:])
    assert folder.read("a_1") is None and folder.read("b_0") is None and folder.is_whole(folder.read("a_0"))
