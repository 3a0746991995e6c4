"""Versions of pseudo labels: written whole, read back equal, taken back, bounded."""

import json
from pathlib import Path

import numpy as np
import pytest

from procrop.datasets.pseudo_labels import PhotoLabels, PseudoLabelError, PseudoLabelStore, version_figures
from procrop.structures import box_iou


def photo(img_id, seed=0, count=3):
    rng = np.random.default_rng(seed)
    low, high = rng.uniform(0, 300, (count, 2)), rng.uniform(400, 700, (count, 2))
    scores = np.sort(rng.uniform(1, 4.5, count))[::-1]
    boxes = np.concatenate([low, high], axis=1)
    known = [100, 120.5, 500, 420]
    return PhotoLabels(img_id, known, boxes, scores, rng.random(count), (800, 720), f"images/{img_id}.jpg")


def assert_equal(a, b):
    assert (a.img_id, a.size, a.photo) == (b.img_id, b.size, b.photo)
    for name in ("known", "boxes", "scores", "predicted"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_a_version_is_read_back_equal(tmp_path):
    store = PseudoLabelStore(tmp_path / "store")
    assert store.latest == 0 and store.versions() == [] and store.read(0) == {}
    given = [photo("b", 1), photo('a "ä"/1', 2), photo("c", 3, count=0)]
    assert store.commit(given, epoch=100, rejected={"ratio": 4, "known area": 2}) == 1
    found = PseudoLabelStore(tmp_path / "store").read(1)
    assert list(found) == ['a "ä"/1', "b", "c"]
    for labels in given:
        assert_equal(found[labels.img_id], labels)
    entry = store.entry(1)
    assert (entry.epoch, entry.rejected) == (100, {"known area": 2, "ratio": 4})
    assert np.abs(photo("b", 1).boxes - found["b"].boxes).max() == 0


def test_figures_are_those_of_a_plain_loop():
    photos = [photo("a", 1), photo("b", 2, count=4), photo("c", count=0), photo("d", 4, count=1)]
    overlaps, means, scores = [], [], []
    for p in photos:
        for box in p.boxes:
            overlaps.append(box_iou([box], [p.known])[0, 0])
        pairs = [box_iou([p.boxes[i]], [p.boxes[j]])[0, 0] for i in range(len(p.boxes)) for j in range(i)]
        means += [sum(pairs) / len(pairs)] if pairs else []
        scores += p.scores.tolist()
    figures = version_figures(photos)
    assert (figures["photos"], figures["labelled"], figures["labels"]) == (4, 3, 8)
    assert figures["iou_known"] == pytest.approx(sum(overlaps) / 8, abs=1e-6)
    assert len(means) == 2 and figures["pairwise_iou"] == pytest.approx(sum(means) / 2, abs=1e-6)
    assert figures["score"] == pytest.approx(sum(scores) / 8, abs=1e-6)
    assert version_figures([])["iou_known"] is None


def test_equal_labels_give_equal_bytes_in_any_order(tmp_path):
    photos = [photo(name, seed) for seed, name in enumerate("cab")]
    for name, given in (("x", photos), ("y", photos[::-1])):
        PseudoLabelStore(tmp_path / name).commit(given, 7)
    files = [sorted(p.name for p in (tmp_path / name).iterdir()) for name in "xy"]
    assert files[0] == files[1] == ["v00001.jsonl", "versions.json"]
    for name in files[0]:
        assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_a_resume_takes_later_versions_back(tmp_path):
    store = PseudoLabelStore(tmp_path)
    for n in range(1, 5):
        store.commit([photo("a", n)], epoch=10 * n)
    before = (tmp_path / "v00002.jsonl").read_bytes()
    assert store.roll_back(2) == [3, 4]
    assert store.latest == 2 and not (tmp_path / "v00003.jsonl").exists()
    assert store.roll_back(2) == []
    assert store.commit([photo("a", 9)], epoch=30) == 3
    assert_equal(store.read(3)["a"], photo("a", 9))
    assert (tmp_path / "v00002.jsonl").read_bytes() == before
    with pytest.raises(PseudoLabelError, match="holds versions 1 to 3, not version 7"):
        store.roll_back(7)
    assert store.roll_back(0) == [1, 2, 3] and store.latest == 0


def test_one_history_per_photo(tmp_path):
    store = PseudoLabelStore(tmp_path)
    store.commit([photo("a", 1), photo("ab", 5)], epoch=1)
    store.commit([photo("ab", 6)], epoch=2)
    store.commit([photo("a", 3), photo("ab", 7)], epoch=3)
    history = store.history("a")
    assert [(entry.version, entry.epoch) for entry, _ in history] == [(1, 1), (3, 3)]
    assert_equal(history[1][1], photo("a", 3))
    assert store.history("nobody") == []


def test_the_folder_does_not_grow_without_bound(tmp_path):
    store = PseudoLabelStore(tmp_path, keep=2)
    for n in range(1, 6):
        store.commit([photo("a", n)], epoch=n)
    assert sorted(p.name for p in tmp_path.glob("v0*")) == ["v00004.jsonl", "v00005.jsonl"]
    assert [entry.epoch for entry in store.versions()] == [1, 2, 3, 4, 5]
    assert all(entry.figures["labels"] == 3 for entry in store.versions())
    assert [entry.version for entry, _ in store.history("a")] == [4, 5]
    with pytest.raises(PseudoLabelError, match="version 3 only the figures were kept; raise `keep`"):
        store.read(3)
    with pytest.raises(PseudoLabelError, match="version 3 only the figures"):
        store.roll_back(3)
    assert store.latest == 5


def test_what_the_table_does_not_list_does_not_exist(tmp_path, monkeypatch):
    """A kill between the labels and the table leaves the version before."""
    store = PseudoLabelStore(tmp_path)
    store.commit([photo("a", 1)], epoch=1)

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PseudoLabelStore, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            store.commit([photo("a", 2)], epoch=2)
    assert (tmp_path / "v00002.jsonl").exists() and store.latest == 1
    assert store.commit([photo("a", 3)], epoch=2) == 2
    assert_equal(store.read(2)["a"], photo("a", 3))


def test_faults_are_named(tmp_path):
    store = PseudoLabelStore(tmp_path)
    with pytest.raises(PseudoLabelError, match="holds no version, not version 1"):
        store.read(1)
    with pytest.raises(PseudoLabelError, match="labels of 'a' given twice"):
        store.commit([photo("a"), photo("a")], epoch=1)
    store.commit([photo("a")], epoch=1)
    file = tmp_path / "v00001.jsonl"
    text = file.read_text()
    file.write_text(text.replace("predicted", "prediction"))
    with pytest.raises(PseudoLabelError, match="v00001.jsonl: its bytes have changed"):
        store.read(1)
    with pytest.raises(PseudoLabelError, match=r"v00001.jsonl:1: cannot be read \(KeyError"):
        store.history("a")
    file.unlink()
    with pytest.raises(PseudoLabelError, match="v00001.jsonl: missing"):
        store.read(1)
    table = tmp_path / "versions.json"
    table.write_text(json.dumps({"format": 9, "versions": []}))
    with pytest.raises(PseudoLabelError, match="format 9, but this program reads 1"):
        store.versions()
    table.write_text("{")
    with pytest.raises(PseudoLabelError, match="versions.json: cannot be read"):
        store.latest  # noqa: B018
    with pytest.raises(ValueError, match="at least 2 versions, got keep=1"):
        PseudoLabelStore(tmp_path, keep=1)


def test_labels_that_are_no_numbers_never_reach_a_file():
    with pytest.raises(ValueError, match="a: a label is not a finite number"):
        PhotoLabels("a", [0, 0, 1, 1], [[0, 0, 1, float("nan")]], [1], [1], (5, 5))
    with pytest.raises(ValueError, match="a: 2 scores for 1 boxes"):
        PhotoLabels("a", [0, 0, 1, 1], [[0, 0, 1, 1]], [1, 2], [1], (5, 5))


def test_a_line_can_be_read_by_people(tmp_path):
    PseudoLabelStore(tmp_path).commit([photo("a", 1, count=1)], epoch=1)
    line = json.loads(Path(tmp_path / "v00001.jsonl").read_text())
    assert list(line) == ["id", "photo", "size", "known", "labels"]
    assert list(line["labels"][0]) == ["box", "score", "predicted"]
    assert line["known"] == [100, 120.5, 500, 420]
