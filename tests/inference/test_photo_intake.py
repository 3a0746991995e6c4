"""PIL images are taken as the files that they come from."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from procrop.inference import PhotoRejected
from procrop.inference.photo_intake import take_photo
from procrop.io import read_photo


def save(image, path, **options):
    image.save(path, **options)
    return path


def quarters():
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30], pixels[:20, 30:], pixels[20:, :30] = (250, 10, 10), (10, 250, 10), (10, 10, 250)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_an_image_as_it_turns_a_file(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(quarters(), tmp_path / "a.png", exif=exif)
    with Image.open(path) as image:
        taken = take_photo(image, name="image 3")
        assert image.size == (60, 40)  # the caller's image stays as it was
    np.testing.assert_array_equal(taken.pixels, read_photo(path))
    assert (taken.name, taken.path) == ("image 3", None)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_any_mode_gives_what_the_file_gives(tmp_path, mode):
    image = quarters().convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 200)
    if mode in ("LA", "RGBA"):
        image.putalpha(128)
    path = save(image, tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    np.testing.assert_array_equal(take_photo(image).pixels, read_photo(path))


def test_a_colour_profile_counts(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    path = save(quarters(), tmp_path / "a.png", icc_profile=profile)
    with Image.open(path) as image:
        np.testing.assert_array_equal(take_photo(image).pixels, read_photo(path))


def test_the_file_that_an_image_came_from_is_its_name(tmp_path):
    taken = take_photo(quarters(), path=tmp_path / "a.png", name="ignored")
    assert taken.name == taken.path == str(tmp_path / "a.png")
    assert take_photo(np.zeros((4, 4, 3), np.uint8)).name == "array"


def test_a_truncated_image_and_one_without_pixels_are_rejected(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "JPEG")
    broken = Image.open(io.BytesIO(buffer.getvalue()[:-900]))
    with pytest.raises(PhotoRejected, match="image 0: the image is truncated or damaged"):
        take_photo(broken, name="image 0")
    with pytest.raises(PhotoRejected, match="0 x 5 pixels are no photo"):
        take_photo(Image.new("RGB", (0, 5)))
