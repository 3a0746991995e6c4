"""Whose photos are, as their sources say."""

import json
from pathlib import Path

import pytest

from procrop.retrieval.gallery_format import PhotoCredit
from procrop.retrieval.sources import FileListSource, FolderSource, GallerySourceError, UnsplashLiteSource


def photos(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def credits(source):
    return {Path(item.path).name: item.credit for item in source.items()}


def test_a_file_beside_the_photos(tmp_path):
    photos(tmp_path, "a.jpg", "sub/b.jpg", "c.jpg")
    entries = [
        {"file": "sub/b.jpg", "licence": "CC0-1.0", "author": None, "width": 9},
        {"file": "a.jpg", "licence": "CC  BY", "title": " A ", "author": "B", "url": ""},
        {"file": "gone.jpg"},
    ]
    (tmp_path / "list.jsonl").write_text("\n\n".join(map(json.dumps, entries)))
    assert credits(FolderSource(tmp_path, credits="list.jsonl")) == {
        "a.jpg": PhotoCredit("CC BY", "A", "B"),
        "b.jpg": PhotoCredit("CC0-1.0"),
        "c.jpg": PhotoCredit(),
    }
    assert set(credits(FolderSource(tmp_path)).values()) == {PhotoCredit()}


@pytest.mark.parametrize("line", ["[]", "{}", "not json", '{"file": "a.jpg", "licence": 3}'])
def test_lines_that_are_refused(tmp_path, line):
    photos(tmp_path, "a.jpg")
    (tmp_path / "list.jsonl").write_text(f'{{"file": "a.jpg"}}\n{line}\n')
    with pytest.raises(GallerySourceError, match="list.jsonl:2: not an object with 'file'"):
        FolderSource(tmp_path, credits="list.jsonl").items()


def test_a_list_of_photos_may_say_it(tmp_path):
    photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    lines = [
        {"path": "a.jpg", "licence": "CC0", "author": "A"},
        {"path": "b.jpg"},
        {"path": "c.jpg", "title": 3},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    source = FileListSource(tmp_path / "list.jsonl")
    assert credits(source) == {"a.jpg": PhotoCredit("CC0", None, "A"), "b.jpg": PhotoCredit()}
    assert source.report == {"'title' is not a text": [f"{tmp_path / 'list.jsonl'}:3"]}


def test_unsplash_names_photographer_and_page(tmp_path):
    photos(tmp_path, "images/a1.jpg", "images/b2.jpg")
    head = "photo_id\tphoto_url\tphotographer_username\tphotographer_first_name\tphotographer_last_name"
    rows = ["a1\thttps://u/a1\tann\tAnn\tLee", "b2\thttps://u/b2\tbo\t\t"]
    (tmp_path / "photos.tsv000").write_text("\n".join([head, *rows]) + "\n")
    terms = "Unsplash Dataset terms (Lite)"
    assert credits(UnsplashLiteSource(tmp_path)) == {
        "a1.jpg": PhotoCredit(terms, None, "Ann Lee", "https://u/a1"),
        "b2.jpg": PhotoCredit(terms, None, "bo", "https://u/b2"),
    }
