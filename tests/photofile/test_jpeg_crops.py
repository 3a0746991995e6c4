"""Crops of JPEG files: quality, colour, metadata, and coefficients that are moved without loss."""

import io
import os
import struct
import sys

import jpeglib
import numpy as np
import pytest
from crop_files import STORED, TURN, exif_with_maker_note, profile_of, saved, scene, wide_gamut_profile
from PIL import Image, JpegImagePlugin
from scipy.fft import idctn

from procrop.io import read_photo
from procrop.photofile import snap_to_blocks, write_crop

BOX = (17, 9, 101, 70)


def _decoded(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)


def _oriented(orientation: int, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](scene())))
    return saved(picture, "JPEG", exif=exif, **options)


@pytest.mark.parametrize("quality", [60, 85, 97])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_reencoding_keeps_tables_subsampling_and_scans(tmp_path, quality, subsampling, progressive):
    options = dict(quality=quality, subsampling=subsampling, progressive=progressive)
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "JPEG", **options))
    written = write_crop(tmp_path / "a.jpg", BOX, tmp_path / "b.jpg")
    with Image.open(tmp_path / "a.jpg") as source, Image.open(tmp_path / "b.jpg") as crop:
        assert [list(source.quantization[layer[3]]) for layer in source.layer] == [
            list(crop.quantization[layer[3]]) for layer in crop.layer
        ]
        assert JpegImagePlugin.get_sampling(crop) == subsampling
        assert bool(crop.info.get("progressive")) == progressive
    assert not written.lossless and written.notes == ()
    # a second rounding by the same tables: as far from the source's picture as that is from the original's, or less
    source = read_photo(tmp_path / "a.jpg").astype(int)
    first = np.abs(source - scene()).mean()
    second = np.abs(read_photo(tmp_path / "b.jpg") - source[9:70, 17:101]).mean()
    assert second < 1.1 * first, (second, first)


def test_a_reencoded_file_is_as_large_as_its_share_of_the_photo(tmp_path):
    (tmp_path / "a.jpg").write_bytes(
        saved(Image.fromarray(scene(480, 640)), "JPEG", quality=88, optimize=True)
    )
    write_crop(tmp_path / "a.jpg", (33, 41, 353, 281), tmp_path / "b.jpg")
    sizes = [os.path.getsize(tmp_path / name) for name in ("a.jpg", "b.jpg")]
    assert 0.18 < sizes[1] / sizes[0] < 0.32  # a quarter of the area


def test_the_quality_that_is_asked_for(tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "JPEG", quality=95, subsampling=0))
    written = write_crop(tmp_path / "a.jpg", (16, 16, 64, 64), tmp_path / "b.jpg", quality=50)
    wanted = Image.open(io.BytesIO(saved(Image.fromarray(scene()), "JPEG", quality=50)))
    assert Image.open(tmp_path / "b.jpg").quantization == wanted.quantization
    assert not written.lossless


def _coefficients(path) -> list[np.ndarray]:
    image = jpeglib.read_dct(path)
    image.load()
    return [plane for plane in (image.Y, image.Cb, image.Cr) if plane is not None]


def _luma(path) -> np.ndarray:
    """The luminance of a JPEG of whole blocks, computed from its coefficients without any rounding."""
    image = jpeglib.read_dct(path)
    image.load()
    blocks = idctn(image.Y * image.qt[image.quant_tbl_no[0]].astype(float), axes=(2, 3), norm="ortho")
    rows, columns = blocks.shape[:2]
    return blocks.transpose(0, 2, 1, 3).reshape(8 * rows, 8 * columns)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("end", [(101, 70), (128, 96), (123, 91)], ids=["inside", "edge", "cut off"])
def test_on_the_block_grid_coefficients_and_pixels_are_the_same(tmp_path, subsampling, end):
    picture = Image.fromarray(scene()[:91, :123] if end == (123, 91) else scene())
    (tmp_path / "a.jpg").write_bytes(saved(picture, "JPEG", quality=80, subsampling=subsampling))
    written = write_crop(tmp_path / "a.jpg", (16, 32, *end), tmp_path / "b.jpg")
    assert written.lossless and written.notes == ()
    found, whole = _decoded((tmp_path / "b.jpg").read_bytes()), _decoded((tmp_path / "a.jpg").read_bytes())
    expected = whole[32 : end[1], 16 : end[0]]
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found[2:-2, 2:-2], expected[2:-2, 2:-2])
    if subsampling == 0:  # nothing is interpolated between neighbours
        np.testing.assert_array_equal(found, expected)
    across, down = {0: (1, 1), 1: (2, 1), 2: (2, 2)}[subsampling]
    pairs = zip(
        _coefficients(tmp_path / "a.jpg"),
        _coefficients(tmp_path / "b.jpg"),
        [(1, 1)] + 2 * [(across, down)],
        strict=True,
    )
    for source, crop, (h, v) in pairs:
        rows, columns = 32 // (8 * v), 16 // (8 * h)
        part = source[rows : rows + crop.shape[0], columns : columns + crop.shape[1]]
        np.testing.assert_array_equal(crop, part)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_lossless_crops_of_the_eight_orientations_show_one_picture(tmp_path, orientation, subsampling):
    (tmp_path / "a.jpg").write_bytes(_oriented(orientation, quality=90, subsampling=subsampling))
    written = write_crop(
        tmp_path / "a.jpg", (32, 32, 96, 80), tmp_path / "b.jpg"
    )  # all four corners on the grid
    assert written.lossless
    with Image.open(tmp_path / "b.jpg") as image:
        assert image.getexif().get(0x0112, 1) == 1
        found = np.asarray(image).astype(int)
    whole = read_photo(tmp_path / "a.jpg").astype(int)
    assert found.shape == (48, 64, 3)
    difference = np.abs(found - whole[32:80, 32:96])[2:-2, 2:-2]
    # decoders round a turned picture otherwise; its coefficients are the same numbers
    assert difference.max() <= (0 if orientation == 1 else 3) and difference.mean() < 0.5
    exact = TURN[orientation](_luma(tmp_path / "a.jpg"))[32:80, 32:96]
    np.testing.assert_allclose(_luma(tmp_path / "b.jpg"), exact, atol=1e-9)


def test_a_mirrored_photo_must_end_on_the_grid_where_its_crop_begins(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 2
    picture = Image.fromarray(scene()[:, :123])
    (tmp_path / "a.jpg").write_bytes(saved(picture, "JPEG", exif=exif, subsampling=0))
    begins_on_grid = write_crop(
        tmp_path / "a.jpg", (3, 0, 51, 40), tmp_path / "b.jpg"
    )  # stored columns 72 to 120
    begins_beside = write_crop(tmp_path / "a.jpg", (0, 0, 48, 40), tmp_path / "c.jpg")  # 75 to 123
    assert (begins_on_grid.lossless, begins_beside.lossless) == (True, False)
    assert (
        np.abs(read_photo(tmp_path / "b.jpg") - read_photo(tmp_path / "a.jpg")[:40, 3:51].astype(int)).max()
        <= 2
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_snapped_boxes_are_lossless_near_and_of_the_same_size(tmp_path, orientation):
    (tmp_path / "a.jpg").write_bytes(_oriented(orientation, subsampling=2))
    for box in ((17, 9, 101, 70), (0, 0, 128, 96), (40, 20, 41, 80)):
        snapped = snap_to_blocks(tmp_path / "a.jpg", box)
        assert (snapped[2] - snapped[0], snapped[3] - snapped[1]) == (box[2] - box[0], box[3] - box[1])
        assert max(abs(a - b) for a, b in zip(snapped, box, strict=True)) <= 8
        assert write_crop(tmp_path / "a.jpg", snapped, tmp_path / "b.jpg").lossless


def test_what_cannot_be_snapped_stays(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(scene()), "PNG"))
    (tmp_path / "b.jpg").write_bytes(_oriented(3, subsampling=0))
    assert snap_to_blocks(tmp_path / "a.png", BOX) == BOX
    exif = Image.Exif()
    exif[0x0112] = 3
    (tmp_path / "c.jpg").write_bytes(saved(Image.fromarray(scene()[:91, :123]), "JPEG", exif=exif))
    assert snap_to_blocks(tmp_path / "c.jpg", (0, 0, 123, 91)) == (
        0,
        0,
        123,
        91,
    )  # would have to lose its edge


def test_grey_and_progressive_photos_are_cut_without_loss_too(tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()).convert("L"), "JPEG", progressive=True))
    written = write_crop(tmp_path / "a.jpg", (8, 24, 77, 70), tmp_path / "b.jpg")
    assert written.lossless and written.notes == ("baseline instead of progressive",)
    assert Image.open(tmp_path / "b.jpg").mode == "L"
    np.testing.assert_array_equal(read_photo(tmp_path / "b.jpg"), read_photo(tmp_path / "a.jpg")[24:70, 8:77])


def test_lossless_only_if_asked_and_installed(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "JPEG"))
    assert not write_crop(tmp_path / "a.jpg", (0, 0, 64, 64), tmp_path / "b.jpg", lossless=False).lossless
    monkeypatch.setitem(sys.modules, "jpeglib", None)
    written = write_crop(tmp_path / "a.jpg", (0, 0, 64, 64), tmp_path / "c.jpg")
    assert not written.lossless
    assert written.notes == ("re-encoded, because jpeglib is not installed (pip install procrop[lossless])",)
    assert (tmp_path / "b.jpg").read_bytes() == (tmp_path / "c.jpg").read_bytes()


@pytest.mark.parametrize("subsampling", [0, 2])
def test_cmyk_stays_cmyk(tmp_path, subsampling):
    picture = Image.fromarray(scene()).convert("CMYK")
    (tmp_path / "a.jpg").write_bytes(
        saved(picture, "JPEG", quality=90, subsampling=subsampling, icc_profile=profile_of(b"CMYK"))
    )
    written = write_crop(tmp_path / "a.jpg", (16, 16, 90, 80), tmp_path / "b.jpg")
    with Image.open(tmp_path / "a.jpg") as source, Image.open(tmp_path / "b.jpg") as crop:
        assert crop.mode == "CMYK" and crop.info["icc_profile"] == profile_of(b"CMYK")
        assert np.abs(np.asarray(crop).astype(int) - np.asarray(source)[16:80, 16:90]).mean() < 2
    assert not written.lossless  # jpeglib cannot write a fourth component


def test_rgb_components_stay_what_they_are(tmp_path):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "JPEG", quality=92, keep_rgb=True))
    write_crop(tmp_path / "a.jpg", (16, 16, 90, 80), tmp_path / "b.jpg")
    with Image.open(tmp_path / "b.jpg") as crop:
        assert crop.info["adobe_transform"] == 0
    difference = np.abs(
        read_photo(tmp_path / "b.jpg").astype(int) - read_photo(tmp_path / "a.jpg")[16:80, 16:90]
    )
    assert difference.mean() < 2


@pytest.mark.parametrize("box", [(16, 16, 80, 64), (17, 9, 81, 70)], ids=["lossless", "re-encoded"])
def test_profile_exif_comment_and_density_come_along(tmp_path, box):
    block, place, note = exif_with_maker_note()
    resources = b"8BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x78\0\x03abc" + b"8BIM\x04\x0c\0\0\0\0\0\x04TINY"
    extra = b"\xff\xed" + struct.pack(">H", len(resources) + 16) + b"Photoshop 3.0\0" + resources
    extra += b"\xff\xe2\0\x0eMPF\0 nothing"[:16]
    profile = wide_gamut_profile()
    jpeg = saved(
        Image.fromarray(scene()[:96, :128]),
        "JPEG",
        exif=b"Exif\0\0" + block,
        icc_profile=profile,
        comment=b"hello",
        dpi=(300, 240),
    )
    (tmp_path / "a.jpg").write_bytes(jpeg[:20] + extra + jpeg[20:])
    written = write_crop(tmp_path / "a.jpg", box, tmp_path / "b.jpg")
    assert written.lossless == (box[0] == 16)
    assert written.notes == ("left out: APP2 MPF",)
    with Image.open(tmp_path / "b.jpg") as crop:
        assert crop.info["icc_profile"] == profile
        assert crop.info["comment"] == b"hello"
        assert crop.info["jfif_density"] == (240, 300)  # orientation 6: x and y have changed places
        assert crop.info["photoshop"] == {0x0404: b"\x1c\x02\x78\0\x03abc"}
        exif = crop.getexif()
        assert exif[0x0112] == 1 and exif.get_ifd(0x8825)[1] == "N"
        own = exif.get_ifd(0x8769)
        assert (own[0xA002], own[0xA003]) == written.size == crop.size
        assert own[0x927C] == note and 0x9214 not in own
        assert crop.info["exif"][6:][place : place + len(note)] == note  # where its own offsets expect it
    assert (
        b"THUMB" not in (tmp_path / "b.jpg").read_bytes() and b"TINY" not in (tmp_path / "b.jpg").read_bytes()
    )


def test_a_long_profile_and_too_long_exif(tmp_path):
    profile = profile_of(b"RGB ", 150_000)
    png = saved(
        Image.fromarray(scene()),
        "PNG",
        icc_profile=profile,
        exif=b"Exif\0\0II*\0\x08\0\0\0\0\0" + bytes(70_000),
    )
    (tmp_path / "a.png").write_bytes(png)
    written = write_crop(tmp_path / "a.png", BOX, tmp_path / "b.jpg", format="jpeg")
    assert Image.open(tmp_path / "b.jpg").info["icc_profile"] == profile
    assert "exif" not in Image.open(tmp_path / "b.jpg").info
    assert [note for note in written.notes if "EXIF of 70010 bytes, more than a JPEG can hold" in note]


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"garbage" * 9, b"II*\0\x08\0\0\0\xff\xff", b"II*\0\xff\xff\xff\xff"]
)
def test_broken_exif_is_left_out(tmp_path, exif):
    (tmp_path / "a.jpg").write_bytes(saved(Image.fromarray(scene()), "JPEG", exif=b"Exif\0\0" + exif))
    written = write_crop(tmp_path / "a.jpg", BOX, tmp_path / "b.jpg")
    assert b"Exif\0\0" not in (tmp_path / "b.jpg").read_bytes()
    assert written.notes == (("left out: broken EXIF",) if exif else ())


def test_a_broken_profile_stays_and_harms_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(
        saved(Image.fromarray(scene()), "JPEG", quality=95, icc_profile=b"broken" * 40)
    )
    write_crop(tmp_path / "a.jpg", BOX, tmp_path / "b.jpg")
    assert Image.open(tmp_path / "b.jpg").info["icc_profile"] == b"broken" * 40
    difference = np.abs(
        read_photo(tmp_path / "b.jpg").astype(int) - read_photo(tmp_path / "a.jpg")[9:70, 17:101]
    )
    assert difference.mean() < 2
