"""A model that scores given crops, on plain photos: it chooses among the crops of each photo's own grid."""

from pathlib import Path

import numpy as np
import pytest

from procrop.inference import CropInferencer
from procrop.structures import gaic_grid_anchors

CONFIGS = Path(__file__).resolve().parents[2] / "configs/baselines"


def photo(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def cropper(tmp_path_factory, untrained):
    path = tmp_path_factory.mktemp("gaic") / "model.pth"
    return CropInferencer(untrained(CONFIGS / "gaic_toy.py", None, path), device="cpu")


@pytest.mark.parametrize(
    ("size", "count", "rule"),
    [
        ((300, 200), 83, "generator"),
        ((150, 260), None, "generator"),
        ((640, 40), 90, "all"),
        ((1, 1), 90, "all"),
    ],
)
def test_every_photo_gets_crops_of_its_grid(cropper, size, count, rule):
    (result,) = cropper(photo(*size), top_k=100)
    assert result.rejected is None
    width, height = size
    grid = gaic_grid_anchors(width, height, rule)
    assert len(result.boxes) == len(grid) == (count or len(grid))
    assert (np.diff(result.scores) <= 0).all() and (result.scores >= 0).all() and (result.scores <= 1).all()
    if min(size) > 30:  # a crop of a photo of few pixels is rounded up to one
        distance = np.abs(result.boxes[:, None] - grid[None]).max(axis=2)
        assert sorted(distance.argmin(axis=1)) == list(range(len(grid))) and distance.min(axis=1).max() < 0.01


def test_the_best_crop_comes_first_and_depends_on_the_photo(cropper):
    (all_crops,), (one,) = cropper(photo(300, 200), 83), cropper(photo(300, 200), 1)
    np.testing.assert_array_equal(one.boxes[0], all_crops.boxes[0])
    (other,) = cropper(photo(300, 200, seed=1), 83)
    assert not np.array_equal(other.scores, all_crops.scores)


def test_references_are_searched_for_and_reach_the_scores(tmp_path, gallery, untrained):
    import torch

    path = untrained(CONFIGS / "gaic_procrop_toy.py", gallery, tmp_path / "model.pth")
    few, many = (CropInferencer(path, gallery=gallery.folder, k=k, device="cpu") for k in (1, 6))
    for model in (few.model, many.model):  # what a crop reads counts for nothing before training
        torch.nn.init.eye_(model.bbox_head.memory_reader.out_proj.weight)
    (first,), (second,) = few(photo(300, 200), 83), many(photo(300, 200), 83)
    assert len(first.references) == 1 and len(second.references) == 6
    assert np.abs(np.sort(first.scores) - np.sort(second.scores)).max() > 1e-5
