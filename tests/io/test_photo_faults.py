"""Files that are no photos, or cannot be read: each is refused in a line that names it."""

import builtins
import io
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from photo_bomb import bomb, tag_bomb
from photo_files import noise, refused
from PIL import Image

from procrop.io import PhotoError, list_photos, read_photo


def test_zero_bytes(tmp_path):
    (tmp_path / "a.jpg").touch()
    refused(tmp_path / "a.jpg", "empty")


@pytest.mark.parametrize("text", [b"This is no photo.\n", b"<html></html>", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_text_named_jpg(tmp_path, text):
    (tmp_path / "a.jpg").write_bytes(text)
    refused(tmp_path / "a.jpg", "no image", "convert it")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated(tmp_path, suffix, share):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise()).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, "truncated or damaged", "again")


def test_damaged_in_the_middle(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(data)
    refused(tmp_path / "a.png", "damaged")


def test_decompression_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(bomb(20000, 20000))
    assert (tmp_path / "a.png").stat().st_size < 100_000
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("the bomb was decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("the bomb was decoded"))
    refused(tmp_path / "a.png", "20000 x 20000", "200000000", "max_pixels")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tags_that_claim_more_bytes_than_the_file_has(tmp_path, monkeypatch, order, big):
    """Pillow would copy each of them: 40 MB of a file of 40 kB here, terabytes of one of 30 MB."""
    (tmp_path / "a.tif").write_bytes(tag_bomb(order, big))
    assert (tmp_path / "a.tif").stat().st_size < 60_000
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("the bomb was opened"))
    refused(tmp_path / "a.tif", "its tags claim more bytes than the file has", "save it anew")


@pytest.mark.parametrize("big", [False, True])
def test_ordinary_tags_claim_less_than_the_file_has(tmp_path, big):
    pages = [Image.fromarray(noise())] * 3
    pages[0].save(
        tmp_path / "a.tif", save_all=True, append_images=pages[1:], big_tiff=big, description="x" * 900
    )
    assert (read_photo(tmp_path / "a.tif") == noise()).all()


def test_exif_that_claims_more_bytes_than_it_has_turns_nothing(tmp_path, monkeypatch):
    Image.fromarray(noise()).save(tmp_path / "a.png", exif=tag_bomb())
    monkeypatch.setattr(Image.Image, "getexif", lambda *_: pytest.fail("the bomb was opened"))
    assert (read_photo(tmp_path / "a.png") == noise()).all()


def test_the_limit_is_the_callers_own(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (100, 60)).save(tmp_path / "a.png")
    Image.new("RGB", (100, 60)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.png", max_pixels=6000).shape == (60, 100, 3)
    assert read_photo(tmp_path / "a.tif", max_pixels=6000).shape == (60, 100, 3)
    with pytest.raises(PhotoError, match="100 x 60"):
        read_photo(tmp_path / "a.png", max_pixels=5999)
    assert Image.MAX_IMAGE_PIXELS == 1000  # put back, after success and after failure


def test_threads_leave_the_global_limit_as_it_was(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(read_photo, [tmp_path / "a.png"] * 100))
    assert all((photo == photos[0]).all() for photo in photos)
    assert before == Image.MAX_IMAGE_PIXELS


def test_vanished_between_listing_and_reading(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png")
    [path] = list_photos(tmp_path)
    path.unlink()
    refused(path, "does not exist")


def test_unreadable(tmp_path, monkeypatch):
    Image.fromarray(noise()).save(tmp_path / "a.png")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(builtins, "open", refuse)  # file modes do not stop a super-user
    refused(tmp_path / "a.png", "may not be read", "permissions")


def test_read_error_of_the_disk(tmp_path, monkeypatch):
    Image.fromarray(noise()).save(tmp_path / "a.png")

    class BadDisk(io.BytesIO):
        def fileno(self):
            return 0

        def read(self, *_):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(builtins, "open", lambda *_, **__: BadDisk())
    refused(tmp_path / "a.png", "Input/output error")


def test_folder_pipe_and_nul(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    refused(tmp_path / "a.jpg", "folder")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "pipe.jpg", "no regular file")
    refused("a\0b.jpg", "cannot be read")


def test_out_of_memory(tmp_path, monkeypatch):
    Image.fromarray(noise()).save(tmp_path / "a.png")

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr("procrop.io.photo._to_rgb", fail)
    refused(tmp_path / "a.png", "memory")


def test_error_survives_pickling_and_a_loaders_worker():
    error = pickle.loads(pickle.dumps(PhotoError("a.jpg", "the file is empty", "copy it again")))
    assert (error.path, error.reason) == ("a.jpg", "the file is empty")
    assert str(error) == "'a.jpg': the file is empty; copy it again"
    assert str(PhotoError("Caught PhotoError in worker 0")) == "Caught PhotoError in worker 0"
