"""Reading of photos: what every kind of file becomes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from photo_files import noise, refused
from PIL import Image, ImageCms

from procrop.io import PhotoError, list_photos, read_photo
from procrop.io.photo import read_photo_size

# a picture that looks different under each of the eight orientations, (4, 6, 3)
PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_lossless_formats_keep_every_pixel(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise()).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    img = read_photo(path)
    np.testing.assert_array_equal(img, noise())
    assert img.dtype == np.uint8 and img.flags.c_contiguous and img.flags.writeable


def test_wrong_suffix_does_not_matter(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.jpg", format="PNG")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg"), noise())


def test_first_picture_of_a_phones_multi_picture_file(tmp_path):
    frames = [Image.new("RGB", (16, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    frames[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=frames[1:], quality=95)
    img = read_photo(tmp_path / "a.jpg").astype(int)
    assert img.shape == (8, 16, 3) and np.abs(img - [255, 0, 0]).max() < 8


# orientation -> how a viewer has to turn the stored rows to see the upright picture (TIFF 6.0, tag 274)
_TURN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_exif_orientation_is_applied_once(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(PICTURE).save(path, exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    expected = _TURN[orientation](PICTURE)
    np.testing.assert_array_equal(read_photo(path), expected)
    assert read_photo_size(path) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_orientation_of_a_jpeg(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    flat = np.zeros((16, 32, 3), dtype=np.uint8)
    flat[:, :16] = 255  # left half white
    Image.fromarray(flat).save(tmp_path / "a.jpg", exif=exif, quality=95)
    img = read_photo(tmp_path / "a.jpg")
    expected = _TURN[orientation](flat)
    assert img.shape == expected.shape
    assert np.abs(img.astype(int) - expected).max() < 8


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_invalid_orientation_counts_as_upright(tmp_path, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(PICTURE).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), PICTURE)


@pytest.mark.parametrize("broken", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0garbage" * 3])
def test_broken_exif_counts_as_upright(tmp_path, broken):
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=broken, quality=95)
    assert read_photo(tmp_path / "a.jpg").shape == PICTURE.shape


def test_broken_exif_is_no_line_without_a_file_name(tmp_path):
    cut = b"Exif\0\0MM\0*\0\0\0\x08\0\x05"  # five entries are announced
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=cut)
    code = "import sys; from procrop.io import read_photo; read_photo(sys.argv[1])"
    command = [sys.executable, "-c", code, tmp_path / "a.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_cmyk(tmp_path):
    cmyk = np.zeros((8, 8, 4), dtype=np.uint8)
    cmyk[..., 0] = 255  # full cyan: no red
    Image.fromarray(cmyk, "CMYK").save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.tif"), np.tile([0, 255, 255], (8, 8, 1)))


def test_sixteen_bit_grey_is_divided_by_257(tmp_path):
    values = np.array([[0, 256, 257, 300, 32768, 65535]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_photo(tmp_path / name)[0, :, 0].tolist() == [0, 1, 1, 1, 128, 255]


def test_dark_sixteen_bit_grey_is_not_stretched(tmp_path):
    Image.fromarray(np.full((2, 2), 200, dtype=np.uint16)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif").max() == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 100, 255], [0, 100, 255]),
        ([0, 257, 65535], [0, 1, 255]),
        ([0, 500_000, 1_000_000], [0, 128, 255]),
        ([-100, 0, 100], [0, 128, 255]),
    ],
)
def test_32_bit_integers_are_scaled_by_their_range(tmp_path, values, expected):
    Image.fromarray(np.array([values], dtype=np.int32)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif")[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.2, 1.0], [0, 51, 255]),
        ([0.0, 0.2, 0.4], [0, 51, 102]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([10.0, 20.0, np.nan], [0, 255, 0]),
        ([0.0, 2.0, np.inf], [0, 255, 255]),
        ([-np.inf, 1.5, 2.5], [0, 0, 255]),
        ([7.0, 7.0, 7.0], [0, 0, 0]),
        ([np.nan, np.nan, np.nan], [0, 0, 0]),
    ],
)
def test_floats_are_scaled_by_their_finite_range(tmp_path, values, expected):
    Image.fromarray(np.array([values], dtype=np.float32)).save(tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif")[0, :, 0].tolist() == expected


def test_one_bit_and_grey(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "one.png")
    assert read_photo(tmp_path / "one.png")[0, :, 0].tolist() == [255, 0]
    Image.fromarray(np.array([[7, 200]], dtype=np.uint8)).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.png"), [[[7] * 3, [200] * 3]])


def test_alpha_is_composited_on_the_background(tmp_path):
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [100, 100, 100, 51]]], dtype=np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), [[[10, 20, 30], [255] * 3, [224] * 3]])
    black = read_photo(tmp_path / "a.png", background=(0, 0, 0))
    np.testing.assert_array_equal(black, [[[10, 20, 30], [0] * 3, [20] * 3]])


def test_fully_transparent_is_background_alone(tmp_path):
    Image.fromarray(np.zeros((3, 3, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    assert (read_photo(tmp_path / "a.png", background=(1, 2, 3)) == [1, 2, 3]).all()


def test_grey_with_alpha(tmp_path):
    Image.fromarray(np.array([[[50, 255], [50, 0]]], dtype=np.uint8), "LA").save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png")[0, :, 0].tolist() == [50, 255]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_palette_with_transparency(tmp_path, suffix):
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    image.save(tmp_path / f"a{suffix}", transparency=1)
    expected = [[[10, 20, 30], [9, 9, 9], [70, 80, 90]]]
    np.testing.assert_array_equal(read_photo(tmp_path / f"a{suffix}", background=(9, 9, 9)), expected)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_first_frame_of_an_animation(tmp_path, suffix):
    frames = [Image.new("RGB", (5, 4), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:], duration=50, **options)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.n_frames == 2
    assert (read_photo(tmp_path / f"a{suffix}") == [255, 0, 0]).all()


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (30000, 20)])
def test_odd_sizes(tmp_path, size):
    Image.new("RGB", size, (1, 2, 3)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").shape == (size[1], size[0], 3)


def _swapped_profile():
    """An sRGB profile whose red and blue primaries are exchanged: it turns red pixels blue."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data = data.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")
    return bytes(data)


def test_colour_profile_is_converted_to_srgb(tmp_path):
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    red.save(tmp_path / "a.png", icc_profile=_swapped_profile())
    img = read_photo(tmp_path / "a.png").astype(int)
    assert np.abs(img - [0, 0, 255]).max() <= 2


def test_srgb_profile_changes_next_to_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise()).save(tmp_path / "a.png", icc_profile=profile)
    assert np.abs(read_photo(tmp_path / "a.png").astype(int) - noise()).max() <= 1


@pytest.mark.parametrize("profile", [b"no profile at all", b"\0" * 200])
def test_broken_profile_is_ignored_with_a_warning(tmp_path, caplog, profile):
    Image.fromarray(noise()).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png"), noise())
    assert "colour profile" in caplog.text and "a.png" in caplog.text


def test_profile_of_another_kind_is_ignored(tmp_path, caplog):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = noise()[..., 0].copy()
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png")[..., 1], grey)
    assert "colour profile" in caplog.text


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"a b.png", b"a\nb.png", "ü.png".encode()])
def test_odd_names(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    Image.fromarray(noise()).save(tmp_path / "plain.png")
    os.rename(tmp_path / "plain.png", path)
    [found] = list_photos(tmp_path)
    assert os.fsencode(found) == path
    np.testing.assert_array_equal(read_photo(found), noise())
    Path(os.fsdecode(path)).write_bytes(b"broken")
    refused(found)  # the message can be made, and printed
    with pytest.raises(PhotoError) as caught:
        read_photo(found)
    str(caught.value).encode()
