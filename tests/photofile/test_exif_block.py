"""EXIF that is corrected in place."""

import io

import numpy as np
import pytest
from crop_files import exif_with_maker_note
from PIL import Image

from procrop.photofile.exif_block import crop_exif


@pytest.mark.parametrize("order", ["<", ">"])
def test_only_what_a_crop_changes_is_changed(order):
    block, place, note = exif_with_maker_note(order)
    cropped = crop_exif(block, (640, 70_000))
    exif = Image.Exif()
    exif.load(cropped)
    own = exif.get_ifd(0x8769)
    assert exif[0x0112] == 1 and exif[0x0128] == 2
    assert (own[0xA002], own[0xA003]) == (
        640,
        70_000,
    )  # more than the short number that stood there could hold
    assert 0x9214 not in own and own[0x927C] == note
    assert exif.get_ifd(0x8825) == {1: "N"}
    assert exif.get_ifd(1) == {}  # Pillow's number of the thumbnail's directory
    assert cropped[place : place + len(note)] == note
    assert b"THUMB" not in cropped and len(cropped) == 300


def test_a_thumbnail_in_front_of_other_data_is_blanked():
    block, _, _ = exif_with_maker_note()
    cropped = crop_exif(block + b"more of the maker", (1, 1))
    assert cropped.endswith(bytes(180) + b"more of the maker") and len(cropped) == len(block) + 17


@pytest.mark.parametrize("cut", [0, 3, 9, 30, 100, 170])
def test_cut_off_blocks_are_refused(cut):
    block, _, _ = exif_with_maker_note()
    with pytest.raises(ValueError):
        crop_exif(block[:cut], (1, 1))


def test_random_damage_gives_an_answer_or_a_refusal():
    block, _, _ = exif_with_maker_note()
    rng, answers = np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(block)
        for place in rng.integers(4, 300, 3):
            damaged[place] = rng.integers(256)
        try:
            cropped = crop_exif(bytes(damaged), (5, 5))
        except ValueError:
            continue
        answers += 1
        assert len(cropped) <= len(block)
        with io.BytesIO() as file:
            Image.new("L", (5, 5)).save(file, "PNG", exif=cropped)
    assert 50 < answers < 300
