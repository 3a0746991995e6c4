"""Photos named by files, folders, patterns and lists, and the names of their crops."""

import io
import os
import sys
from pathlib import Path

import pytest

from procrop.apis.cropping.inputs import find_photos
from procrop.apis.cropping.naming import CropNames
from procrop.apis.cropping.plan import plan_jobs


@pytest.fixture
def album(tmp_path, monkeypatch):
    """A folder with photos (empty files) that is the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "in/a.jpg",
        "in/x/b.PNG",
        "in/x/y/c.tif",
        "in/[1].jpg",
        "in/notes.txt",
        "in/@d.jpg",
        "e.jpg",
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(*words, lists=()):
    return [(str(photo.path), photo.relative.as_posix()) for photo in find_photos(words, lists)]


def test_folders_are_searched_to_the_bottom(album):
    assert found("in") == [
        ("in/@d.jpg", "@d.jpg"),
        ("in/[1].jpg", "[1].jpg"),
        ("in/a.jpg", "a.jpg"),
        ("in/x/b.PNG", "x/b.PNG"),
        ("in/x/y/c.tif", "x/y/c.tif"),
    ]


def test_files_are_taken_as_named_and_once(album):
    assert found("in/notes.txt", "in/[1].jpg", "gone.jpg", "in/x/y/../b.PNG", "./in/x") == [
        ("in/notes.txt", "notes.txt"),
        ("in/[1].jpg", "[1].jpg"),
        ("gone.jpg", "gone.jpg"),
        ("in/x/y/../b.PNG", "b.PNG"),
        ("in/x/y/c.tif", "y/c.tif"),
    ]


@pytest.mark.parametrize(
    ("pattern", "photos"),
    [
        ("in/*", {"a.jpg", "@d.jpg", "[1].jpg", "x/b.PNG", "x/y/c.tif"}),
        ("in/**/*.???", {"a.jpg", "@d.jpg", "[1].jpg", "x/b.PNG", "x/y/c.tif"}),
        ("in/**", {"a.jpg", "@d.jpg", "[1].jpg", "x/b.PNG", "x/y/c.tif"}),
        ("i[mn]/a.*", {"in/a.jpg"}),
        ("in/x/*/", {"y/c.tif"}),
        ("*.jpg", {"e.jpg"}),
    ],
)
def test_patterns_take_photos_and_keep_the_tree_below_their_fixed_part(album, pattern, photos):
    assert {relative for _, relative in found(pattern)} == photos


@pytest.mark.parametrize("pattern", ["in/**/*.jpg", "in/**", "in/**/*", "**/a.jpg", "in/**/**/a.jpg"])
def test_patterns_enter_folders_once_whatever_links_lead_back_up(album, pattern):
    for link in ("in/x/up", "in/x/y/up", "in/here"):
        Path(link).symlink_to(album / "in", target_is_directory=True)
    paths = [os.path.realpath(path) for path, _ in found(pattern)]
    assert paths.count(str(album / "in" / "a.jpg")) == 1 and len(paths) == len(set(paths)) <= 5


def test_a_folder_is_the_same_by_a_link_and_a_link_to_a_photo_is_a_photo(album):
    Path("link").symlink_to("in", target_is_directory=True)
    Path("in/x/y/of_a.jpg").symlink_to(album / "in" / "a.jpg")
    assert found("in/x/y", "link/x/*.PNG", "link/x/y/*", "link/a.jpg", "in/a.jpg") == [
        ("in/x/y/c.tif", "c.tif"),
        ("in/x/y/of_a.jpg", "of_a.jpg"),
        ("link/x/b.PNG", "b.PNG"),
        ("link/a.jpg", "a.jpg"),
    ]


@pytest.mark.parametrize("pattern", ["x/*/../../*.jpg", "[x]/../../e.*", "*/../a.jpg"])
def test_no_pattern_leads_crops_out_of_their_folder(album, monkeypatch, pattern):
    monkeypatch.chdir("in")
    jobs = plan_jobs(find_photos([pattern]), album / "out")
    assert jobs and not [job.stem for job in jobs if ".." in Path(job.stem).parts]


LINES = b"\xef\xbb\xbfin/x/b.PNG\r\n\r\nin/*.jpg\r\n/nowhere/n.jpg\r\nin/x/y"
LISTED = [
    ("in/x/b.PNG", "in/x/b.PNG"),
    ("in/@d.jpg", "@d.jpg"),
    ("in/[1].jpg", "[1].jpg"),
    ("in/a.jpg", "a.jpg"),
    ("/nowhere/n.jpg", "n.jpg"),
    ("in/x/y/c.tif", "c.tif"),
]


@pytest.mark.parametrize("form", ["word", "option", "NULs", "standard input", "standard input, option"])
def test_lists_hold_words_by_line_or_between_nuls(album, monkeypatch, form):
    nuls = LINES.replace(b"\r\n\r\n", b"\r\n").replace(b"\r\n", b"\0") + b"\0"
    Path("list").write_bytes(nuls if form == "NULs" else LINES)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES)))
    words, lists = {
        "word": (["@list"], []),
        "standard input": (["-"], []),
        "standard input, option": ([], ["-"]),
    }.get(form, ([], ["list"]))
    assert found(*words, lists=lists) == LISTED


def test_a_list_may_hold_newlines_and_bytes_that_are_no_text(album):
    names = [b"in/\xff.jpg", b"in/two\nlines.jpg"]
    Path("list").write_bytes(b"\0".join(names))
    assert [os.fsencode(path) for path, _ in found("@list")] == names


def test_a_file_that_is_called_like_a_list_is_a_photo(album, monkeypatch):
    monkeypatch.chdir("in")
    assert found("@d.jpg") == [("@d.jpg", "@d.jpg")]


@pytest.mark.parametrize(
    ("words", "lists", "message"),
    [
        ([], [], "no photo is named"),
        (["@none"], [], "none: the list cannot be read"),
        (["in/*.webp"], [], r"in/\*.webp: no photo fits this pattern"),
        ([], ["in/a.jpg"], "in/a.jpg: the list names no photo"),
        (["in/x", "empty"], [], "holds no photo"),
    ],
)
def test_what_names_nothing_is_an_error(album, words, lists, message):
    Path("empty").mkdir()
    with pytest.raises(ValueError, match=message):
        find_photos(words, lists)


def test_names_of_crops_never_collide(tmp_path):
    names = ["a.jpg", "a.png", "A.jpeg", "sub/a.jpg", "other/x/a.jpg", "a_1.jpg", "a.png.jpg", "SUB/a.jpg"]
    names += ["e\u0301.jpg", "\u00e9.jpg", "ss.jpg", "ß.jpg"]  # one name to some file systems
    names += ["b.jpg", "b_1.jpg/c.jpg", "b_1.jpg/d.jpg", "k_2.png/c.jpg", "z/k.jpg", "z/k_1.tif/k.jpg"]
    for name in [f"one/{name}" for name in names] + ["two/a.jpg"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    inputs = [tmp_path / "one", tmp_path / "two" / "a.jpg", tmp_path / "one" / "a.jpg"]
    jobs = plan_jobs(find_photos(list(map(str, inputs))), tmp_path / "out")
    assert len(jobs) == len(names) + 1  # the photo that was named twice is cropped once
    stems = [job.stem.casefold() for job in jobs]
    files = {
        f"{stem}_{rank}.{suffix}"
        for stem in stems
        for rank in range(1, 9)
        for suffix in ("jpg", "png", "tif")
    }
    assert len(files) == 8 * 3 * len(jobs)
    folders = {"/".join(stem.split("/")[:depth]) for stem in stems for depth in range(1, stem.count("/") + 1)}
    assert not folders & files
    assert {"SUB/a", "other/x/a", "z/k"} <= {job.stem for job in jobs}


def test_names_go_on_from_those_that_are_taken():
    names = CropNames(["a", "b_3.png/x"])
    assert [names.take(Path(name)) for name in ("A.jpg", "b.jpg", "a_1.jpg/c.jpg", "A.jpg", "A.jpg")] == [
        "A.jpg",
        "b.jpg",
        "a_1.jpg~2/c",
        "A.jpg~2",
        "A.jpg~3",
    ]
