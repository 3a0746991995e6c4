"""Lists of photos."""

import json
import os

import numpy as np
import pytest

from procrop.retrieval import build_gallery
from procrop.retrieval.sources import FileListSource, FolderSource, GallerySourceError


def reasons(source):
    return {
        reason: [int(place.rpartition(":")[2]) for place in places]
        for reason, places in source.report.items()
    }


def test_paths_in_the_order_of_the_list(tmp_path, photos, retrieval):
    (photos / "list.txt").write_text("p003.png\r\n\n./p001.png\np015.png\n")
    source = FileListSource(photos / "list.txt")
    gallery = build_gallery(tmp_path / "g", source.items(), retrieval, source.root)
    assert gallery.names == ["p003.png", "p001.png", "p015.png"] and source.report == {}


def test_a_root_elsewhere(tmp_path, photos):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.txt").write_text(f"p000.png\n{photos / 'p001.png'}\n")
    source = FileListSource(tmp_path / "lists" / "a.txt", root=photos)
    assert [os.path.basename(item.path) for item in source.items()] == ["p000.png", "p001.png"]
    assert source.root == photos


def test_names_that_are_not_utf8(photos):
    name = os.fsdecode(b"caf\xe9 #1.png")
    (photos / "p000.png").rename(photos / name)
    (photos / "list.txt").write_bytes(os.fsencode(name) + b"\n")
    (item,) = FileListSource(photos / "list.txt").items()
    assert os.path.exists(item.path)


def test_lines_that_cannot_be_used_are_reported(photos):
    (photos / "list.txt").write_text("p000.png\n../p001.png\np000.png\n/etc/passwd\nsub/../p000.png\n")
    source = FileListSource(photos / "list.txt")
    assert len(source.items()) == 1
    assert reasons(source) == {f"photo outside {photos}": [2, 4], "photo listed twice": [3, 5]}


def test_json_lines(tmp_path, photos, retrieval):
    lines = [
        dict(path="p002.png", source_id="s", crops=[[0, 0, 10, 8], [5, 4, 20, 16]], scores=[2.5, 4]),
        dict(path="p001.png"),
        dict(path="p003.png", crops=[], scores=[]),
    ]
    text = "\n".join(map(json.dumps, lines))
    (photos / "list.jsonl").write_text(text)
    source = FileListSource(photos / "list.jsonl")
    gallery = build_gallery(tmp_path / "g", source.items()[:2], retrieval, source.root)
    assert gallery.source_ids == ["s", "p001"]
    boxes, scores, mask = gallery.crops([0, 1])
    np.testing.assert_allclose(boxes[0, 0], [0.25, 0.25, 0.5, 0.5])
    assert scores[0].tolist() == [2.5, 4.0] and mask[1].all()
    assert reasons(source) == {"'crops' are not boxes [x1, y1, x2, y2] with one of 'scores' each": [3]}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a line of JSON"),
        ("[1]", "no 'path'"),
        ('{"path": ""}', "no 'path'"),
        ('{"path": "a.png", "score": 1}', "unknown key 'score'"),
        ('{"path": "a.png", "source_id": 3}', "'source_id' is not a string"),
        ('{"path": "a.png", "crops": [[1, 2, 3, 4]]}', "one of 'scores' each"),
        ('{"path": "a.png", "crops": [[1, 2, 3]], "scores": [1]}', "one of 'scores' each"),
        ('{"path": "a.png", "crops": [[1, 2, 3, NaN]], "scores": [1]}', "one of 'scores' each"),
        ('{"path": "a.png", "crops": "no", "scores": [1]}', "one of 'scores' each"),
    ],
)
def test_bad_json_lines_are_reported(photos, line, reason):
    (photos / "list.jsonl").write_text('{"path": "p000.png"}\n' + line + "\n")
    source = FileListSource(photos / "list.jsonl")
    assert len(source.items()) == 1
    ((found, places),) = source.report.items()
    assert reason in found and places == [f"{photos / 'list.jsonl'}:2"]


def test_an_empty_or_missing_list_is_an_error(photos):
    (photos / "list.txt").write_text("\n")
    with pytest.raises(GallerySourceError, match="no photo to use"):
        FileListSource(photos / "list.txt").items()
    with pytest.raises(GallerySourceError, match="none.txt.*cannot be read"):
        FileListSource(photos / "none.txt").items()


def test_a_folder(photos):
    source = FolderSource(photos)
    assert len(source.items()) == 20 and source.root == photos and source.report == {}
