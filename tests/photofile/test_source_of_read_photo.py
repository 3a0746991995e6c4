"""A photo that has been read already is not decoded again where its file holds nothing else."""

import numpy as np
import pytest
from crop_files import STORED, saved, scene, wide_gamut_profile
from PIL import Image

from procrop.io import read_photo
from procrop.photofile import read_source, write_cut

BOX = (17, 9, 101, 70)
LIMIT = 10**6


def write(path, mode="RGB", orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene()))).convert(mode)
    path.write_bytes(saved(picture, "JPEG" if path.suffix == ".jpg" else "PNG", exif=exif, **options))
    return path


def cut(path, photo, target):
    source = read_source(path, "keep", LIMIT, photo)
    return write_cut(source, BOX, target), target.read_bytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_crop_is_the_same_file(tmp_path, orientation):
    path = write(tmp_path / "a.jpg", orientation=orientation, quality=85)
    target = tmp_path / "crop.jpg"
    written, data = cut(path, read_photo(path), target)
    assert (written, data) == cut(path, None, target)
    # what is handed over is what is cut
    white = np.full_like(scene(), 255)
    assert (np.asarray(Image.open(cut(path, white, target)[0].path)) == 255).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("profile.jpg", dict(icc_profile=wide_gamut_profile())),
        ("grey.jpg", dict(mode="L")),
        ("four inks.jpg", dict(mode="CMYK")),
        ("colour.png", {}),
    ],
)
def test_a_file_that_holds_more_is_decoded(tmp_path, name, options):
    path = write(tmp_path / name, **options)
    target = tmp_path / f"crop{path.suffix}"
    assert cut(path, np.zeros_like(scene()), target) == cut(path, None, target)


def test_a_photo_of_another_size_is_not_taken(tmp_path):
    path = write(tmp_path / "a.jpg")
    assert cut(path, scene(90, 128), tmp_path / "b.jpg") == cut(path, None, tmp_path / "b.jpg")
