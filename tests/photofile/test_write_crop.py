"""Cutting crops out of files: orientation, refusals, and whole files."""

import os
import warnings

import numpy as np
import pytest
from crop_files import STORED, saved, scene
from PIL import Image

from procrop.io import PhotoError, read_photo
from procrop.photofile import suffix_of, write_crop

BOX = (17, 9, 101, 70)


def _upright(stored: np.ndarray, orientation: int, path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = {".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}[path.suffix]
    options = {"lossless": True} if name == "WEBP" else {}
    path.write_bytes(saved(Image.fromarray(np.ascontiguousarray(stored)), name, exif=exif, **options))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_crops_of_the_eight_orientations_are_one_picture(tmp_path, orientation, suffix):
    _upright(STORED[orientation](scene()), orientation, tmp_path / f"a{suffix}")
    written = write_crop(tmp_path / f"a{suffix}", BOX, tmp_path / f"b{suffix}")
    expected = scene()[9:70, 17:101]
    with Image.open(written.path) as image:
        np.testing.assert_array_equal(np.asarray(image), expected)  # upright as it is stored
        assert image.getexif().get(0x0112, 1) == 1
    np.testing.assert_array_equal(read_photo(written.path), expected)
    assert written.size == (84, 61) and written.lossless and written.notes == ()


@pytest.mark.parametrize("orientation", [0, 9, 700])
def test_invalid_orientation_counts_as_upright(tmp_path, orientation):
    _upright(scene(), orientation, tmp_path / "a.png")
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), scene()[9:70, 17:101])


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 129, 10), "leaves the upright photo of 128 x 96 pixels"),
        ((-1, 0, 10, 10), "leaves the upright photo"),
        ((10, 0, 10, 10), "is empty"),
        ((0.5, 0, 10, 10), "in whole pixels; round it"),
        ((0, 0, float("nan"), 10), "in whole pixels; round it"),
        ((0, 0, 10), "in whole pixels; round it"),
    ],
)
def test_boxes_that_make_no_sense(tmp_path, box, said):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    with pytest.raises(ValueError, match=said) as error:
        write_crop(tmp_path / "a.png", box, tmp_path / "b.png")
    assert "a.png" in str(error.value) and not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("b.jpg", {}, "written as PNG, which ends in .png"),
        ("b.png", {"format": "bmp"}, "'bmp' is not known; name one of keep, jpeg, png, webp, tiff"),
        ("b.png", {"size": (0, 5)}, "size .* give such a pair"),
        ("b.png", {"size": (5, 2.5)}, "size .* give such a pair"),
        ("b.jpg", {"format": "jpeg", "quality": 0}, "quality 0 is no whole number of 1 to 100"),
        ("b.jpg", {"format": "jpeg", "quality": 90.5}, "quality 90.5 is no whole number"),
        ("b.png", {"size": (20,)}, r"size \(20,\) is no \(width, height\)"),
        ("a.png", {}, "is the photo itself, which is never overwritten"),
        ("link.png", {}, "is the photo itself"),
    ],
)
def test_wishes_that_make_no_sense(tmp_path, target, options, said):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    (tmp_path / "link.png").symlink_to("a.png")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match=said):
        write_crop(tmp_path / "a.png", (0, 0, 5, 5), tmp_path / target, **options)
    assert sorted(os.listdir(tmp_path)) == before
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), scene())


def test_a_wrong_suffix_of_the_source_does_not_matter(tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    assert suffix_of(tmp_path / "a.jpg") == ".png"
    assert suffix_of(tmp_path / "a.jpg", "jpeg") == ".jpg"
    write_crop(tmp_path / "a.jpg", BOX, tmp_path / "b.PNG")
    assert Image.open(tmp_path / "b.PNG").format == "PNG"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "zero bytes"),
        (b"This is no photo.", "no image of a known format"),
        (saved(Image.fromarray(scene()), "JPEG")[:1500], "truncated or damaged"),
        (saved(Image.fromarray(scene()), "PNG")[:5000], "truncated or damaged"),
        (saved(Image.fromarray(scene()), "TIFF")[:9000], "truncated or damaged"),
    ],
)
def test_broken_photos(tmp_path, data, reason):
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(PhotoError, match=reason) as error, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_crop(tmp_path / "a.jpg", BOX, tmp_path / "b.jpg", format="jpeg")
    assert error.value.path == str(tmp_path / "a.jpg")
    assert os.listdir(tmp_path) == ["a.jpg"]


def test_photos_over_the_limit_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(Image.new("1", (5000, 5000)), "PNG"))
    with pytest.raises(PhotoError, match="5000 x 5000 pixels are more than the limit of 1000"):
        write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png", max_pixels=1000)


def test_a_photo_that_does_not_fit_into_memory_is_told_as_such(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    monkeypatch.setattr("procrop.photofile.source_file.from_image", _no_memory)
    with pytest.raises(PhotoError, match="pixels do not fit into memory; scale the photo down"):
        write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")


def _no_memory(image):
    raise MemoryError


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    (tmp_path / "b.png").write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: .*b.png"):
        write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]
    assert (tmp_path / "b.png").read_bytes() == b"old"


def test_equal_work_gives_equal_bytes_and_replaces_the_old_file(tmp_path):
    (tmp_path / "a.tif").write_bytes(saved(Image.fromarray(scene()), "TIFF"))
    (tmp_path / "b.tif").write_bytes(b"old")
    for name in ("b.tif", "sub/c.tif"):
        write_crop(tmp_path / "a.tif", np.array(BOX, dtype=float), tmp_path / name)
    assert (tmp_path / "b.tif").read_bytes() == (tmp_path / "sub" / "c.tif").read_bytes()


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_taken_and_said(tmp_path, name):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if name == "WEBP" else {}
    (tmp_path / "a").write_bytes(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
    written = write_crop(tmp_path / "a", (2, 3, 20, 20), tmp_path / f"b{suffix_of(tmp_path / 'a')}")
    assert "the first of 2 pictures" in written.notes
    crop = Image.open(written.path)
    assert getattr(crop, "n_frames", 1) == 1
    np.testing.assert_array_equal(np.asarray(crop.convert("RGB")), np.full((17, 18, 3), (255, 0, 0)))


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (1, 700)])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_smallest_photos(tmp_path, name, size):
    (tmp_path / "a").write_bytes(saved(Image.new("L", size, 77), name))
    written = write_crop(tmp_path / "a", (0, 0, *size), tmp_path / f"b{suffix_of(tmp_path / 'a')}")
    assert written.size == size
    assert np.abs(read_photo(written.path).astype(int) - 77).max() <= 1


def test_odd_file_names(tmp_path):
    folder = os.fsencode(tmp_path)
    for name in (b"a b.png", b"new\nline.png", b"latin-\xe9.png"):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(saved(Image.fromarray(scene()), "PNG"))
        written = write_crop(os.fsdecode(path), BOX, os.fsdecode(path + b"_crop.png"))
        assert os.path.exists(written.path)
