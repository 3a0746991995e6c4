"""Crops of every mode of Pillow, in every format that holds it and to every format: they show what the photo shows."""

import functools
import os

import numpy as np
import pytest
from crop_files import saved, scene
from PIL import Image

from procrop.io import read_photo
from procrop.photofile import suffix_of, write_crop

BOX = (17, 9, 101, 70)


@functools.cache
def _modes() -> dict[str, Image.Image]:
    rng, rgb = np.random.default_rng(0), Image.fromarray(scene())
    alpha = Image.fromarray(rng.integers(0, 256, scene().shape[:2], dtype=np.uint8))
    grey, rgba, palette = rgb.convert("L"), rgb.copy(), rgb.quantize(60)
    rgba.putalpha(alpha)
    clear, keyed = palette.copy(), rgb.copy()
    clear.info["transparency"] = 5
    keyed.info["transparency"] = keyed.getpixel((20, 20))
    grey_alpha = grey.copy()
    grey_alpha.putalpha(alpha)
    wide = np.asarray(grey).astype(np.int32)
    return {
        "1": rgb.convert("1"),
        "L": grey,
        "LA": grey_alpha,
        "P": palette,
        "P transparent": clear,
        "RGB": rgb,
        "RGB keyed": keyed,
        "RGBA": rgba,
        "RGBA all clear": Image.new("RGBA", rgb.size, (10, 20, 30, 0)),
        "CMYK": rgb.convert("CMYK"),
        "LAB": rgb.convert("LAB"),
        "I;16": Image.fromarray((wide * 250).astype(np.uint16)),
        "I": Image.fromarray(wide * 200),
        "I large": Image.fromarray(wide * 100_000 - 5),
        "F": Image.fromarray((wide / 255).astype(np.float32)),
        "F large": Image.fromarray(wide.astype(np.float32) * 1e4),
    }


_HOMES = {
    "PNG": ("1", "L", "LA", "P", "P transparent", "RGB", "RGB keyed", "RGBA", "RGBA all clear", "I;16", "I")
}
_HOMES["TIFF"] = tuple(mode for mode in _modes() if "transparent" not in mode and "keyed" not in mode)
_HOMES["GIF"] = ("1", "L", "P", "P transparent")
_HOMES["BMP"] = ("1", "L", "P", "RGB")
_HOMES["JPEG"] = ("L", "RGB", "CMYK")
_HOMES["WEBP"] = ("RGB", "RGBA", "RGBA all clear")
_CASES = [(name, mode) for name, modes in _HOMES.items() for mode in modes]


@pytest.mark.parametrize(("name", "mode"), _CASES, ids=lambda value: str(value))
@pytest.mark.parametrize("wish", ["keep", "jpeg", "png", "webp", "tiff"])
def test_crop_shows_what_the_photo_shows(tmp_path, monkeypatch, name, mode, wish):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # hundreds of waits for the disk
    source = tmp_path / "source"
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    source.write_bytes(saved(_modes()[mode], name, **options))
    target = tmp_path / f"crop{suffix_of(source, wish)}"
    written = write_crop(source, BOX, target, format=wish)
    whole, crop = read_photo(source)[9:70, 17:101], read_photo(target)
    assert crop.shape == whole.shape
    # large numbers are shown by their own range, which is another one in the crop
    if "large" in mode and target.suffix == ".tif":
        return _same_numbers(source, target, name)
    difference = np.abs(crop.astype(int) - whole)
    lossy = wish in ("jpeg", "webp") or name == "JPEG" and wish == "keep"
    # LAB and CMYK have no profile here, and are converted by Pillow's rule both times
    assert difference.mean() <= (7 if lossy and "A" in mode else 4 if lossy else 0.01), difference.mean()
    assert lossy or difference.max() <= 1
    if wish in ("keep", "tiff", "png") and not lossy and (name != "JPEG" or wish == "keep"):
        assert written.lossless == (written.notes == ())


def _same_numbers(source, target, name: str) -> None:
    assert name == "TIFF"
    np.testing.assert_array_equal(
        np.asarray(Image.open(target)), np.asarray(Image.open(source))[9:70, 17:101]
    )
