"""Crops of WebP files."""

import numpy as np
import pytest
from crop_files import exif_with_maker_note, profile_of, saved, scene, wide_gamut_profile
from PIL import Image

from procrop.io import read_photo
from procrop.photofile import write_crop
from procrop.photofile.webp_writer import is_lossless

BOX = (5, 3, 35, 29)
CUT = np.s_[3:29, 5:35]


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("animated", [False, True])
def test_lossless_stays_lossless(tmp_path, alpha, animated):
    picture = Image.fromarray(scene())
    if alpha:
        picture.putalpha(Image.fromarray(scene()[..., 0] // 128 * 255))  # colours under full transparency too
    options = dict(lossless=True, exact=True)
    if animated:
        options |= dict(save_all=True, append_images=[Image.new(picture.mode, picture.size)])
    (tmp_path / "a.webp").write_bytes(saved(picture, "WEBP", **options))
    written = write_crop(tmp_path / "a.webp", BOX, tmp_path / "b.webp")
    assert is_lossless((tmp_path / "b.webp").read_bytes())
    assert written.lossless != animated  # it is the first of several
    crop = np.asarray(Image.open(tmp_path / "b.webp").convert(picture.mode))
    whole = Image.open(tmp_path / "a.webp")
    np.testing.assert_array_equal(crop, np.asarray(whole.convert(picture.mode))[CUT])


def test_lossy_stays_lossy_and_close(tmp_path):
    (tmp_path / "a.webp").write_bytes(saved(Image.fromarray(scene()), "WEBP", quality=80))
    written = write_crop(tmp_path / "a.webp", BOX, tmp_path / "b.webp")
    assert not written.lossless and not is_lossless((tmp_path / "b.webp").read_bytes())
    assert (
        np.abs(read_photo(tmp_path / "b.webp").astype(int) - read_photo(tmp_path / "a.webp")[CUT]).mean() < 3
    )


def test_quality_makes_a_lossless_photo_small(tmp_path):
    (tmp_path / "a.webp").write_bytes(saved(Image.fromarray(scene()), "WEBP", lossless=True))
    sizes = []
    for quality in (None, 90, 20):
        write_crop(tmp_path / "a.webp", (0, 0, 128, 96), tmp_path / "b.webp", quality=quality)
        sizes.append((tmp_path / "b.webp").stat().st_size)
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2]


def test_exif_xmp_and_profile_come_along(tmp_path):
    block, place, note = exif_with_maker_note()
    xmp = b'<x tiff:Orientation="6" GPano:PoseHeadingDegrees="3"/>'
    picture = Image.fromarray(scene())
    profile = wide_gamut_profile()
    (tmp_path / "a.webp").write_bytes(
        saved(picture, "WEBP", exif=b"Exif\0\0" + block, xmp=xmp, icc_profile=profile)
    )
    write_crop(tmp_path / "a.webp", BOX, tmp_path / "b.webp")
    crop = Image.open(tmp_path / "b.webp")
    assert crop.info["icc_profile"] == profile and crop.info["xmp"] == b'<x tiff:Orientation="1"/>'
    assert crop.getexif()[0x0112] == 1 and crop.size == (30, 26)
    assert crop.info["exif"].removeprefix(b"Exif\0\0")[place : place + len(note)] == note


def test_grey_profiles_do_not_fit_and_are_applied(tmp_path):
    grey = Image.fromarray(scene()).convert("L")
    (tmp_path / "a.png").write_bytes(saved(grey, "PNG", icc_profile=profile_of(b"GRAY")))
    written = write_crop(tmp_path / "a.png", BOX, tmp_path / "b.webp", format="webp")
    assert written.notes == ("converted from grey to sRGB",)
    assert "icc_profile" not in Image.open(tmp_path / "b.webp").info


def test_a_crop_larger_than_webp_allows_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(Image.new("L", (16400, 2)), "PNG"))
    with pytest.raises(ValueError, match="a side is longer than 16383 pixels.*choose another format"):
        write_crop(tmp_path / "a.png", (0, 0, 16400, 2), tmp_path / "b.webp", format="webp")
    assert not (tmp_path / "b.webp").exists()
