"""An exported model that scores given crops, and one that reads captions."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from test_onnx_cropper import CONFIGS, assert_same, photo, shaken
from tiny_cropper import write_checkpoint

from procrop.export import OnnxCropper, export_cropper
from procrop.inference import CropInferencer, CropRequest
from procrop.models.text import WordTextEncoder

sys.path.append(str(Path(__file__).parents[1] / "models"))

from builders import build, procrop_cfg  # noqa: E402


@pytest.fixture(scope="module")
def grid(tmp_path_factory, untrained, gallery):
    folder = tmp_path_factory.mktemp("grid")
    checkpoint = shaken(untrained(CONFIGS / "baselines/gaic_procrop_toy.py", gallery, folder / "model.pth"))
    export_cropper(checkpoint, folder / "onnx")
    return (
        OnnxCropper(folder / "onnx", gallery.folder),
        CropInferencer(checkpoint, gallery.folder, device="cpu"),
    )


# 4:3 and 16:9 have 87 and 60 crops of the grid, a long strip all 90; the second is padded to multiples of 32
@pytest.mark.parametrize(("size", "number"), [((400, 300), 87), ((320, 180), 60), ((640, 40), 90)])
def test_the_grid_of_each_photo_is_scored(grid, size, number):
    ours, theirs = (cropper.crop(photo(*size), top_k=100) for cropper in grid)
    assert len(ours.boxes) == number and np.ptp(ours.scores) > 1e-3
    assert_same(ours, theirs)


def test_shapes_beyond_the_grid_are_scored(grid):
    ours, theirs = (cropper.crop(photo(320, 180), request=CropRequest(ratio="1:1")) for cropper in grid)
    np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Both croppers of a model with a text branch, whose encoder writes no captions."""
    folder = tmp_path_factory.mktemp("text")
    torch.manual_seed(0)
    cfg = procrop_cfg(references=False, text=True)
    model = build(cfg)
    for weights in model.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    encoder = WordTextEncoder(token_dim=8)
    recorded = dict(
        fingerprint=encoder.fingerprint, token_dim=8, config=dict(type="WordTextEncoder", token_dim=8)
    )
    checkpoint = write_checkpoint(
        folder,
        text=dict(type="LoadTextTokens", folder="gone"),
        text_meta=recorded,
        resize="Resize",
        weights=model.state_dict(),
        **cfg,
    )
    export_cropper(checkpoint, folder / "onnx")
    return folder / "onnx", CropInferencer(checkpoint, device="cpu")


def test_captions_steer_as_they_do_the_checkpoint(reader):
    ours, theirs = OnnxCropper(reader[0]), reader[1]
    results = []
    for caption in (None, "a boat", "the dog and  the boat"):
        results.append(ours.crop(photo(90, 70), caption=caption))
        expected = theirs.crop(photo(90, 70), caption=caption)
        assert_same(results[-1], expected)
        assert (results[-1].caption, results[-1].caption_source) == (
            expected.caption,
            expected.caption_source,
        )
    assert results[2].caption == "the dog and the boat"
    assert np.abs(results[0].scores - results[1].scores).max() > 1e-4


def test_text_can_be_switched_off(reader):
    silent = OnnxCropper(reader[0], text=False)
    assert_same(silent.crop(photo(90, 70)), reader[1].crop(photo(90, 70)))
    with pytest.raises(ValueError, match="its text is switched off; leave the caption out"):
        silent.crop(photo(90, 70), caption="a boat")
