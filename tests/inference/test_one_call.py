"""Crops with one call."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_cropper import write_checkpoint

import procrop
from procrop import crop
from procrop.inference import CropInferencer, one_call


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("PROCROP_CHECKPOINT", raising=False)
    one_call._opened.cache_clear()


@pytest.fixture
def checkpoint(tmp_path):
    return write_checkpoint(tmp_path)


@pytest.fixture
def photo(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_one_line_gives_boxes_scores_and_the_picture(checkpoint, photo):
    result = crop(photo, ratio="1:1", top_k=2, checkpoint=checkpoint, device="cpu")
    sides = result.boxes[:, 2:] - result.boxes[:, :2]
    assert result.boxes.shape == (2, 4) and (sides[:, 0] == sides[:, 1]).all()
    assert result.references == [] and (np.diff(result.scores) <= 0).all()
    left, top, right, bottom = result.boxes[0].astype(int)
    np.testing.assert_array_equal(result.cut(), np.asarray(Image.open(photo))[top:bottom, left:right])


def test_what_is_given_reaches_the_request(checkpoint, photo):
    (expected,) = CropInferencer(checkpoint, device="cpu")([photo], top_k=3)
    np.testing.assert_array_equal(crop(photo, checkpoint=checkpoint, device="cpu").boxes, expected.boxes)
    large = crop(photo, checkpoint=checkpoint, device="cpu", top_k=1, min_area=0.8)
    (box,) = large.boxes
    assert (box[2] - box[0]) * (box[3] - box[1]) >= 0.8 * 160 * 120 - 1e-6


def test_several_photos_of_any_kind(checkpoint, photo):
    pixels = np.asarray(Image.open(photo))
    results = crop((p for p in [photo, pixels, Image.open(photo), "gone.png"]), checkpoint=checkpoint)
    assert [result.rejected is None for result in results] == [True, True, True, False]
    np.testing.assert_array_equal(results[0].boxes, results[2].boxes)
    assert crop("gone.png", checkpoint=checkpoint).rejected == "the file does not exist"


def test_the_model_is_loaded_once_and_anew_when_its_file_changes(checkpoint, photo, monkeypatch):
    import os

    made = []
    whole = CropInferencer.__init__
    monkeypatch.setattr(CropInferencer, "__init__", lambda *a, **k: made.append(1) or whole(*a, **k))
    for _ in range(3):
        crop(photo, checkpoint=checkpoint, top_k=1)
    assert len(made) == 1
    os.utime(checkpoint, ns=(1, 1))
    crop(photo, checkpoint=checkpoint)
    assert len(made) == 2


def test_the_environment_names_the_model(checkpoint, photo, monkeypatch):
    monkeypatch.setenv("PROCROP_CHECKPOINT", str(checkpoint))
    assert len(crop(photo).boxes) == 3


def test_a_model_that_is_not_there_is_named(photo):
    with pytest.raises(ValueError, match=r"gone\.pth"):
        crop(photo, checkpoint="gone.pth")


@pytest.mark.parametrize("thing", [None, 5, b"a.jpg"])
def test_what_is_no_photo_is_told(checkpoint, thing):
    with pytest.raises(TypeError, match=f"a photo is a file, .* not {type(thing).__name__}"):
        crop(thing, checkpoint=checkpoint)


def test_a_misspelt_argument_is_told(checkpoint, photo):
    with pytest.raises(TypeError, match=r"no argument 'min_aera'; did you mean min_area\?"):
        crop(photo, checkpoint=checkpoint, min_aera=0.5)
    with pytest.raises(TypeError, match=r"no argument 'zzz'; there are top_k, ratio"):
        crop(photo, checkpoint=checkpoint, zzz=1)


def test_naming_it_loads_nothing_heavy():
    code = "import sys; from procrop import crop; assert callable(crop) and 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert procrop.crop is crop
