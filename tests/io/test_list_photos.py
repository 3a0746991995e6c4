"""Finding the photos of a folder."""

import pytest
from photo_files import refused

from procrop.io import PHOTO_SUFFIXES, PhotoError, list_photos, read_photo
from procrop.io.photo import read_photo_size


def test_list_photos_is_recursive_sorted_and_by_suffix(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    names = ["b/1.JPG", "b/c/2.png", "a/1.jpg", "z.webp", "0.TiFF"]
    for name in [*names, "notes.txt", "b/noext", "jpg"]:
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_photos(tmp_path)]
    assert found == ["0.TiFF", "a/1.jpg", "b/1.JPG", "b/c/2.png", "z.webp"]
    assert all(suffix == suffix.lower() for suffix in PHOTO_SUFFIXES)


def test_files_that_macos_adds_are_no_photos(tmp_path):
    for name in ("a.jpg", "._a.jpg", "sub/._b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_photos(tmp_path) == [tmp_path / "a.jpg"]


def test_list_photos_survives_link_loops(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").touch()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "sub")  # sorts before "sub", whose own name counts
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found = [path.relative_to(tmp_path).as_posix() for path in list_photos(tmp_path)]
    assert found == ["gone.jpg", "self.jpg", "sub/a.jpg"]
    refused(tmp_path / "gone.jpg", "does not exist")
    refused(tmp_path / "self.jpg", "cannot be read")


def test_duplicate_basenames_in_different_folders_are_two_photos(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.jpg").touch()
    assert len(list_photos(tmp_path)) == 2


def test_list_photos_of_nothing(tmp_path):
    with pytest.raises(PhotoError, match="holds no photo.*jpeg"):
        list_photos(tmp_path)
    with pytest.raises(PhotoError, match="does not exist"):
        list_photos(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match="not a folder"):
        list_photos(tmp_path / "file")


@pytest.mark.realdata
def test_real_photos_can_all_be_listed_and_some_read(procrop_data):
    photos = list_photos(procrop_data / "photos")
    assert len(photos) == 272
    for path in photos[::40]:
        height, width, _ = read_photo(path).shape
        assert max(width, height) <= 1024 and read_photo_size(path) == (width, height)
