"""Crops of TIFF files: depth, colour spaces, compression, tags."""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile
from crop_files import deep, exif_with_maker_note, profile_of, saved, scene, wide_gamut_profile
from photo_bomb import tag_bomb
from PIL import Image

from procrop.io import PhotoError, read_photo
from procrop.photofile import write_crop

BOX = (5, 3, 35, 29)
CUT = np.s_[3:29, 5:35]


def _page(path) -> tifffile.TiffPage:
    return tifffile.TiffFile(path).pages[0]


@pytest.mark.parametrize("compression", [None, "adobe_deflate"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgba", "cmyk", "planes"])
def test_sixteen_bits_keep_values_depth_and_compression(tmp_path, compression, order, kind):
    channels = {"grey": (), "rgba": (4,), "cmyk": (4,)}.get(kind, (3,))
    values = deep(32, 40, *channels)
    options = {"photometric": {"cmyk": "separated"}.get(kind, "minisblack" if kind == "grey" else "rgb")}
    if kind == "rgba":
        options["extrasamples"] = ["unassalpha"]
    stored = values
    if kind == "planes":
        stored, options["planarconfig"] = np.moveaxis(values, -1, 0), "separate"
    tifffile.imwrite(
        tmp_path / "a.tif", stored, compression=compression, byteorder=order, metadata=None, **options
    )
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    page = _page(tmp_path / "b.tif")
    np.testing.assert_array_equal(page.asarray(), values[CUT])
    assert page.dtype == np.uint16 and page.compression == (1 if compression is None else 8)
    assert page.photometric == _page(tmp_path / "a.tif").photometric
    assert written.lossless and written.notes == ()
    if (kind, compression) != ("planes", None):  # Pillow, and read_photo with it, mixes such planes up
        np.testing.assert_array_equal(read_photo(tmp_path / "b.tif"), read_photo(tmp_path / "a.tif")[CUT])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_zero_is_white_the_picture_stays_the_same(tmp_path, dtype):
    values = (deep(32, 40) >> (8 if dtype == np.uint8 else 0)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", metadata=None)
    write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    page = _page(tmp_path / "b.tif")
    assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
    np.testing.assert_array_equal(np.iinfo(dtype).max - page.asarray(), values[CUT])
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif"), read_photo(tmp_path / "a.tif")[CUT])


def test_grey_with_alpha_of_sixteen_bits_is_refused(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", deep(32, 40, 2), photometric="minisblack", extrasamples=["unassalpha"]
    )
    with pytest.raises(PhotoError, match="no image of a known format"):
        write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")


def test_sixteen_bit_colours_in_lzw(tmp_path):
    values = deep(32, 40, 3)
    done, tiff = cv2.imencode(".tiff", values[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    (tmp_path / "a.tif").write_bytes(tiff.tobytes())
    write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    assert done and _page(tmp_path / "b.tif").compression == 5
    found = cv2.imread(str(tmp_path / "b.tif"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found[..., ::-1], values[CUT])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "LAB", "F", "I;16"])
def test_modes_and_compressions_of_pillow(tmp_path, compression, mode):
    if mode in ("F", "I;16"):
        picture = Image.fromarray(
            deep(32, 40) if mode == "I;16" else deep(32, 40).astype(np.float32) / 7e4 - 0.3
        )
    else:
        picture = Image.fromarray(scene(32, 40))
        picture = picture.quantize(50) if mode == "P" else picture.convert(mode)
    (tmp_path / "a.tif").write_bytes(saved(picture, "TIFF", compression=compression))
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    crop = Image.open(tmp_path / "b.tif")
    assert crop.mode == mode and crop.info["compression"] == compression
    np.testing.assert_array_equal(np.asarray(crop), np.asarray(Image.open(tmp_path / "a.tif"))[CUT])
    assert written.lossless and written.notes == ()


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "tiff_lzw"])
def test_black_and_white(tmp_path, compression):
    picture = Image.fromarray(scene(32, 40)).convert("1")
    (tmp_path / "a.tif").write_bytes(saved(picture, "TIFF", compression=compression))
    write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    crop = Image.open(tmp_path / "b.tif")
    assert crop.mode == "1" and crop.info["compression"] == compression
    np.testing.assert_array_equal(np.asarray(crop), np.asarray(picture)[CUT])


def test_floats_are_resized_as_floats(tmp_path):
    y, x = np.mgrid[0:40, 0:40]
    (tmp_path / "a.tif").write_bytes(saved(Image.fromarray((x * 1e3 - y * 7.5).astype(np.float32)), "TIFF"))
    write_crop(tmp_path / "a.tif", (0, 0, 40, 40), tmp_path / "b.tif", size=(20, 20))
    found = tifffile.imread(tmp_path / "b.tif")
    expected = (x * 1e3 - y * 7.5).reshape(20, 2, 20, 2).mean(axis=(1, 3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[3:-3, 3:-3], expected[3:-3, 3:-3], atol=0.05)


def test_lossy_compression_becomes_deflate(tmp_path):
    (tmp_path / "a.tif").write_bytes(saved(Image.fromarray(scene()), "TIFF", compression="jpeg"))
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    assert written.notes == ("left out: TIFF compression 7 (deflate instead)",)
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif"), read_photo(tmp_path / "a.tif")[CUT])


@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_come_along_and_stale_ones_do_not(tmp_path, order):
    profile = wide_gamut_profile()
    xmp = b'<x tiff:Orientation="8" tiff:ImageWidth="40"/>'
    extra = [
        (315, "s", 0, "Ada", True),
        (274, "H", 1, 8, True),
        (700, "B", len(xmp), xmp, True),
        (33723, "B", 8, b"\x1c\x02\x78\0\x03abc", True),
        (33432, "s", 0, "(c) Ada", True),
        (33550, "d", 3, (1.0, 2.0, 0.0), True),  # GeoTIFF: where the pixels lie on earth
    ]
    tifffile.imwrite(
        tmp_path / "a.tif",
        deep(32, 40, 3),
        photometric="rgb",
        byteorder=order,
        metadata=None,
        iccprofile=profile,
        resolution=(300, 150),
        resolutionunit="INCH",
        description="A description.",
        extratags=extra,
    )
    written = write_crop(tmp_path / "a.tif", (2, 3, 30, 33), tmp_path / "b.tif")
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "b.tif"), np.rot90(tifffile.imread(tmp_path / "a.tif"), 1)[3:33, 2:30]
    )
    tags = {tag.code: tag.value for tag in _page(tmp_path / "b.tif").tags}
    assert (
        tags[34675] == profile
        and tags[315] == "Ada"
        and tags[33432] == "(c) Ada"
        and tags[270] == "A description."
    )
    assert tags[282][0] / tags[282][1] == 300 and tags[283][0] / tags[283][1] == 150 and tags[296] == 2
    assert tags[700] == b'<x tiff:Orientation="1" tiff:ImageWidth="28"/>'
    assert bytes(tags[33723]) == b"\x1c\x02\x78\0\x03abc"
    assert 33550 not in tags and tags.get(274, 1) == 1
    assert written.notes == ("left out: TIFF tag 33550",)


def test_exif_goes_into_a_tiff_and_out_of_it_again(tmp_path):
    block, _, _ = exif_with_maker_note(">")
    jpeg = saved(
        Image.fromarray(scene()),
        "JPEG",
        exif=b"Exif\0\0" + block,
        icc_profile=wide_gamut_profile(),
        comment=b"hello",
    )
    (tmp_path / "a.jpg").write_bytes(jpeg)
    first = write_crop(tmp_path / "a.jpg", (0, 0, 90, 120), tmp_path / "b.tif", format="tiff")
    assert first.notes == ("left out: maker note",)
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif"), read_photo(tmp_path / "a.jpg")[:120, :90])
    tags = {tag.code: tag.value for tag in _page(tmp_path / "b.tif").tags}
    assert tags[34665] == {"PixelXDimension": 90, "PixelYDimension": 120} and tags[34853] == {
        "GPSLatitudeRef": "N"
    }
    assert tags[270] == "hello" and tags[34675] == wide_gamut_profile()
    write_crop(tmp_path / "b.tif", (10, 10, 50, 40), tmp_path / "c.png", format="png")
    crop = Image.open(tmp_path / "c.png")
    exif = crop.getexif()
    assert exif.get_ifd(0x8825) == {1: "N"} and exif.get(0x0112, 1) == 1
    assert exif.get_ifd(0x8769) == {0xA002: 40, 0xA003: 30}
    assert crop.info["icc_profile"] == wide_gamut_profile()


def test_the_descriptions_of_stacks_go(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", scene(), photometric="rgb")  # writes {"shape": ...}
    write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    assert 270 not in _page(tmp_path / "b.tif").tags
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), scene()[CUT])


def test_tags_that_lie_over_one_another_are_left_out(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG", exif=tag_bomb()))
    written = write_crop(tmp_path / "a.png", BOX, tmp_path / "b.tif", format="tiff")
    assert written.notes == ("left out: broken EXIF",)
    np.testing.assert_array_equal(_page(tmp_path / "b.tif").asarray(), scene()[CUT])


def test_a_big_tiff_keeps_its_profile(tmp_path):
    profile = wide_gamut_profile()
    Image.fromarray(scene()).save(tmp_path / "a.tif", big_tiff=True, icc_profile=profile, description="lost")
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    assert written.notes == ("left out: tags of a BigTIFF, or broken ones",)
    assert Image.open(tmp_path / "b.tif").info["icc_profile"] == profile
    np.testing.assert_array_equal(read_photo(tmp_path / "b.tif"), read_photo(tmp_path / "a.tif")[CUT])


def test_a_broken_directory_costs_the_tags_alone(tmp_path):
    tiff = bytearray(saved(Image.fromarray(scene()), "TIFF", dpi=(300, 300), tiffinfo={34665: 0xFFFFFF}))
    (tmp_path / "a.tif").write_bytes(tiff)
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.tif")), scene()[CUT])
    assert [note for note in written.notes if "broken" in note]


def test_associated_alpha_of_sixteen_bits_becomes_straight(tmp_path):
    values = deep(32, 40, 4)
    values[..., :3] = values[..., :3].astype(np.uint32) * values[..., 3:] // 65535
    tifffile.imwrite(
        tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"], metadata=None
    )
    written = write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    found = tifffile.imread(tmp_path / "b.tif").astype(float)
    again = found[..., :3] * found[..., 3:] / 65535
    assert np.abs(again - values[CUT][..., :3]).max() <= 1
    assert written.notes == ("premultiplied alpha is written as straight alpha",) and not written.lossless


def test_cmyk_to_formats_that_have_none(tmp_path):
    picture = Image.fromarray(scene()).convert("CMYK")
    (tmp_path / "a.tif").write_bytes(saved(picture, "TIFF", icc_profile=profile_of(b"CMYK")))
    for wish, suffix in (("png", "png"), ("webp", "webp")):
        written = write_crop(tmp_path / "a.tif", BOX, tmp_path / f"b.{suffix}", format=wish)
        assert written.notes == ("converted from CMYK to sRGB",)
        assert "icc_profile" not in Image.open(tmp_path / f"b.{suffix}").info
    np.testing.assert_array_equal(read_photo(tmp_path / "b.png"), read_photo(tmp_path / "a.tif")[CUT])
    assert write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.jpg", format="jpeg").notes == ()
    assert Image.open(tmp_path / "b.jpg").mode == "CMYK"


def test_all_tags_survive_two_readers(tmp_path):
    (tmp_path / "a.tif").write_bytes(saved(Image.fromarray(scene()), "TIFF", dpi=(72.5, 72.5), software="S"))
    write_crop(tmp_path / "a.tif", BOX, tmp_path / "b.tif")
    crop = Image.open(io.BytesIO((tmp_path / "b.tif").read_bytes()))
    assert float(crop.info["dpi"][0]) == 72.5 and crop.tag_v2[305] == "S"
    assert struct.unpack("<2sHI", (tmp_path / "b.tif").read_bytes()[:8]) == (b"II", 42, 8)
