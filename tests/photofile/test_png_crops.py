"""Crops of PNG files: depth, transparency, palettes, colour and text chunks."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from crop_files import decode_png, deep, png_chunks, png_file, saved, scene, wide_gamut_profile
from PIL import Image, ImageCms, PngImagePlugin

from procrop.io import read_photo
from procrop.photofile import write_crop

BOX = (5, 3, 35, 29)
CUT = np.s_[3:29, 5:35]


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_keep_every_value(tmp_path, colour_type, channels):
    values = deep(32, 40, channels)
    (tmp_path / "a.png").write_bytes(png_file(values, colour_type, ((b"gAMA", struct.pack(">I", 45455)),)))
    written = write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    png = (tmp_path / "b.png").read_bytes()
    found = decode_png(png)
    expected = values[CUT]
    if channels == 2:  # no encoder at hand writes grey with alpha
        expected = np.dstack([expected[..., 0]] * 3 + [expected[..., 1]])
    np.testing.assert_array_equal(found, expected)
    assert (b"gAMA", struct.pack(">I", 45455)) in png_chunks(png)
    assert written.lossless and written.notes == ()
    np.testing.assert_array_equal(read_photo(tmp_path / "b.png"), read_photo(tmp_path / "a.png")[CUT])


def test_the_transparent_colour_of_sixteen_bits_becomes_alpha(tmp_path):
    values = deep(32, 40, 3)
    values[10, 10] = values[20, 20] = (1000, 2000, 3000)
    (tmp_path / "a.png").write_bytes(png_file(values, 2, ((b"tRNS", struct.pack(">3H", 1000, 2000, 3000)),)))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    found = decode_png((tmp_path / "b.png").read_bytes())
    np.testing.assert_array_equal(found[..., :3], values[CUT])
    clear = np.argwhere(found[..., 3] == 0)
    np.testing.assert_array_equal(clear, [[7, 5], [17, 15]])
    assert set(np.unique(found[..., 3])) == {0, 65535}


def test_a_grey_transparent_colour_of_sixteen_bits(tmp_path):
    values = deep(32, 40)
    values[10, 10] = 1000
    (tmp_path / "a.png").write_bytes(png_file(values, 0, ((b"tRNS", struct.pack(">H", 1000)),)))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    png = (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(decode_png(png)[..., 0], values[CUT])
    assert (b"tRNS", struct.pack(">H", 1000)) in png_chunks(png)


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_sixteen_bit_photos_are_turned(tmp_path, orientation):
    block = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)
    values = deep(32, 40, 3)
    (tmp_path / "a.png").write_bytes(png_file(values, 2, ((b"eXIf", block),)))
    upright = {1: values, 6: np.rot90(values, -1), 7: values[::-1, ::-1].swapaxes(0, 1)}[orientation]
    write_crop(tmp_path / "a.png", (2, 5, 30, 31), tmp_path / "b.png")
    png = (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(decode_png(png), upright[5:31, 2:30])
    assert struct.unpack_from("<H", dict(png_chunks(png))[b"eXIf"], 18) == (1,)


def test_wide_gamut_profile_and_pixels_stay(tmp_path):
    profile = wide_gamut_profile()
    ImageCms.ImageCmsProfile(io.BytesIO(profile))  # it is a profile
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG", icc_profile=profile))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    crop = Image.open(tmp_path / "b.png")
    assert crop.info["icc_profile"] == profile
    np.testing.assert_array_equal(np.asarray(crop), scene()[CUT])
    shown = read_photo(tmp_path / "b.png")
    assert (
        np.abs(shown.astype(int) - scene()[CUT]).max() > 20
    )  # the profile says that these are other colours
    np.testing.assert_array_equal(shown, read_photo(tmp_path / "a.png")[CUT])
    for wish, suffix in (("jpeg", "jpg"), ("webp", "webp"), ("tiff", "tif")):
        write_crop(tmp_path / "a.png", BOX, tmp_path / f"b.{suffix}", format=wish)
        assert Image.open(tmp_path / f"b.{suffix}").info["icc_profile"] == profile


def test_ancillary_chunks_come_along_and_stale_ones_do_not(tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "Ada")
    text.add_itxt("XML:com.adobe.xmp", '<a tiff:Orientation="1" tiff:ImageWidth="128"/>')
    text.add_text("Raw profile type exif", "\nexif\n8\n" + (b"Exif\0\0II*\0\x08\0\0\0\0\0").hex())
    png = saved(Image.fromarray(scene()), "PNG", pnginfo=text, dpi=(300, 150))
    mine = [
        (b"cHRM", bytes(32)),
        (b"sRGB", b"\0"),
        (b"sBIT", b"\x05\x06\x05"),
        (b"bKGD", bytes(6)),
    ]
    mine += [(b"abCa", b"safe to copy"), (b"abCD", b"unsafe"), (b"oFFs", bytes(9)), (b"iDOT", bytes(28))]
    mine += [(b"caNv", bytes(16)), (b"vpAg", bytes(9))]  # the canvas that the whole photo lay on
    packed = b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in mine
    )
    (tmp_path / "a.png").write_bytes(png[:33] + packed + png[33:])
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    chunks = png_chunks((tmp_path / "b.png").read_bytes())
    kinds = [kind for kind, _ in chunks]
    for chunk in mine[:5]:
        assert chunk in chunks
    assert not {b"abCD", b"oFFs", b"iDOT", b"caNv", b"vpAg"} & set(kinds)
    assert kinds.index(b"bKGD") < kinds.index(b"IDAT") and kinds[0] == b"IHDR" and kinds[-1] == b"IEND"
    crop = Image.open(tmp_path / "b.png")
    assert (
        crop.info["Author"] == "Ada"
        and crop.info["XML:com.adobe.xmp"] == '<a tiff:Orientation="1" tiff:ImageWidth="30"/>'
    )
    assert [round(value) for value in crop.info["dpi"]] == [300, 150]
    assert b"Raw profile" not in (tmp_path / "b.png").read_bytes() and b"eXIf" in kinds


def test_chunks_that_speak_of_depth_go_when_the_depth_goes(tmp_path):
    picture = Image.fromarray(scene()).quantize(16)
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG"))
    png = (tmp_path / "a.png").read_bytes()
    chunk = b"bKGD\x03"
    (tmp_path / "a.png").write_bytes(
        png[:33] + b"\0\0\0\1" + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]
    )
    for size, kept in ((None, True), ((15, 13), False)):
        write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png", size=size)
        chunks = png_chunks((tmp_path / "b.png").read_bytes())
        assert ((b"bKGD", b"\x03") in chunks) == kept


@pytest.mark.parametrize(("colours", "depth"), [(2, 1), (4, 2), (16, 4), (200, 8)])
def test_palettes_keep_colours_depth_and_alpha(tmp_path, colours, depth):
    picture = Image.fromarray(scene()).quantize(colours)
    alpha = bytes(range(0, 50 * min(5, colours), 50))
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG", transparency=alpha))
    written = write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    chunks = dict(png_chunks((tmp_path / "b.png").read_bytes()))
    assert chunks[b"IHDR"][8:10] == bytes([depth, 3]) and chunks[b"tRNS"] == alpha
    whole, crop = Image.open(tmp_path / "a.png"), Image.open(tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(crop), np.asarray(whole)[CUT])
    np.testing.assert_array_equal(np.asarray(crop.convert("RGBA")), np.asarray(whole.convert("RGBA"))[CUT])
    assert written.lossless


def test_black_and_white_stays_one_bit(tmp_path):
    picture = Image.fromarray(scene()).convert("1")
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG"))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png")
    crop = Image.open(tmp_path / "b.png")
    assert crop.mode == "1" and dict(png_chunks((tmp_path / "b.png").read_bytes()))[b"IHDR"][8] == 1
    np.testing.assert_array_equal(np.asarray(crop), np.asarray(picture)[CUT])


def test_sixteen_bits_to_other_formats(tmp_path):
    values = deep(32, 40, 4)
    (tmp_path / "a.png").write_bytes(png_file(values, 6))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.tif", format="tiff")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), values[CUT])
    (tmp_path / "c.png").write_bytes(png_file(values[..., :3], 2))
    written = write_crop(tmp_path / "c.png", BOX, tmp_path / "c.jpg", format="jpeg", quality=100)
    assert written.notes == ("16 bits are reduced to 8",) and not written.lossless
    difference = read_photo(tmp_path / "c.jpg") - values[CUT][..., :3] / 257
    assert np.abs(difference).mean() < 1.5  # noise at full amplitude


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_resized_at_their_depth(tmp_path, channels):
    y, x = np.mgrid[0:64, 0:80]
    planes = [np.rint(30000 + 300 * x + 101 * y + 7 * c) for c in range(channels)]
    if channels == 4:
        planes[3] = np.full((64, 80), 65535)
    values = np.dstack(planes).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(png_file(values, {1: 0, 3: 2, 4: 6}[channels]))
    written = write_crop(tmp_path / "a.png", (8, 8, 72, 56), tmp_path / "b.png", size=(32, 24))
    found = decode_png((tmp_path / "b.png").read_bytes()).astype(float)
    # a plane stays the plane: the mean of each 2 x 2 pixels
    expected = values[8:56, 8:72].reshape(24, 2, 32, 2, channels).mean(axis=(1, 3))
    assert np.abs(found - expected)[3:-3, 3:-3].max() <= 1
    assert written.notes == ("resized from 64 x 48",) and not written.lossless and written.size == (32, 24)


def test_resizing_agrees_with_an_independent_lanczos(tmp_path):
    picture = cv2.GaussianBlur(scene(), (0, 0), 3)
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(picture), "PNG"))
    write_crop(tmp_path / "a.png", (0, 0, 128, 96), tmp_path / "b.png", size=(192, 144))
    expected = cv2.resize(picture, (192, 144), interpolation=cv2.INTER_LANCZOS4)
    assert np.abs(read_photo(tmp_path / "b.png").astype(int) - expected)[6:-6, 6:-6].max() <= 3


@pytest.mark.parametrize("depth", [8, 16])
def test_colours_under_full_transparency_do_not_bleed(tmp_path, depth):
    values = np.zeros((40, 40, 4), dtype=np.uint16)
    values[:, :20] = (65535, 0, 0, 65535)  # red beside clear green
    values[:, 20:] = (0, 65535, 0, 0)
    if depth == 16:
        (tmp_path / "a.png").write_bytes(png_file(values, 6))
    else:
        (tmp_path / "a.png").write_bytes(saved(Image.fromarray((values // 257).astype(np.uint8)), "PNG"))
    write_crop(tmp_path / "a.png", (0, 0, 40, 40), tmp_path / "b.png", size=(13, 13))
    found = np.asarray(Image.open(tmp_path / "b.png"))
    assert found[..., 1][found[..., 3] > 8].max() <= 1 and found[..., 0][found[..., 3] > 8].min() >= 250


def test_palette_becomes_colours_when_resized(tmp_path):
    picture = Image.fromarray(scene()).quantize(100)
    (tmp_path / "a.png").write_bytes(saved(picture, "PNG"))
    write_crop(tmp_path / "a.png", BOX, tmp_path / "b.png", size=(60, 52))
    expected = picture.convert("RGB").crop(BOX).resize((60, 52), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.asarray(expected))
