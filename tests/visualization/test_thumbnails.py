"""Small pictures of photo files."""

import numpy as np
import pytest
from PIL import Image

from procrop.io import read_photo, upright_rgb
from procrop.visualization import read_thumbnail
from procrop.visualization.crop_overlay import scale_to_fit


def write(path, orientation=1, size=(1200, 800)):
    coarse = np.random.default_rng(4).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_decoded_small_looks_as_if_it_was_decoded_whole(tmp_path, orientation, monkeypatch):
    path = write(tmp_path / "a.jpg", orientation)
    expected = np.asarray(scale_to_fit(read_photo(path), (132, 107)))
    decoded = []

    def listen(image, path):
        decoded.append(image.size)
        return upright_rgb(image, path)

    monkeypatch.setattr("procrop.visualization.thumbnails.upright_rgb", listen)
    found = read_thumbnail(path, (132, 107))
    assert decoded == [(600, 400)] and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 1


def test_small_photos_and_other_formats_are_decoded_whole(tmp_path):
    for name in ("a.jpg", "a.png"):
        path = write(tmp_path / name, size=(200, 90))
        expected = scale_to_fit(read_photo(path), (132, 107))
        np.testing.assert_array_equal(read_thumbnail(path, (132, 107)), np.asarray(expected))


def test_what_cannot_be_read_is_none(tmp_path):
    (tmp_path / "a.jpg").write_bytes(write(tmp_path / "b.jpg").read_bytes()[:3000])
    assert read_thumbnail(tmp_path / "a.jpg", (132, 107)) is None
    assert read_thumbnail(tmp_path / "gone.jpg", (132, 107)) is None
    assert read_thumbnail(None, (132, 107)) is None
