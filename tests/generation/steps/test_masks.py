"""Superpixels and SAM's masks as label maps: levels, labels, sizes, determinism, faults."""

import numpy as np
import pytest
import torch
from canvas_scenes import item, photo

from procrop.generation import CADItem
from procrop.generation.steps.masks import SAMMasks, SuperpixelMasks
from procrop.generation.steps.masks.label_maps import resize_labels, shrunk, sorted_levels
from procrop.registry import GENERATION_STEPS

TINY = dict(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), image_size=256, out_channels=32)
# untrained weights are sure of nothing: take what they say
ANY = dict(pred_iou_thresh=-1e9, stability_score_thresh=0.0, points_per_side=4, arch=TINY)


def _sam(**changes):
    return SAMMasks(**{"model_type": "vit_b", "random_weights_seed": 0, **ANY, **changes})


def _run(step, of=None):
    return step.run(of or item(), np.random.default_rng(0)).masks


def test_masks_are_sorted_by_area_into_levels_and_small_ones_lie_upon_large_ones():
    masks = [np.zeros((10, 10), bool) for _ in range(5)]
    masks[0][2:4, 2:4] = True  # 4 %
    masks[1][:, :5] = True  # 50 %
    masks[2][:6, :] = True  # 60 %
    masks[3][9, 9] = True  # 1 %
    levels = sorted_levels(masks, (10, 10), (0.1, 0.02))
    assert levels.shape == (3, 10, 10) and levels.dtype == np.uint16
    expected = np.zeros((3, 10, 10), np.uint16)
    expected[0][:6, :] = 1
    expected[0][:, :5] = 2
    expected[1][2:4, 2:4] = 1
    expected[2][9, 9] = 1
    np.testing.assert_array_equal(levels, expected)
    assert not sorted_levels([], (4, 3), (0.1,)).any()


def test_labels_are_resized_by_the_pixel_at_the_centre():
    labels = np.arange(6, dtype=np.uint16).reshape(1, 2, 3)
    np.testing.assert_array_equal(
        resize_labels(labels, (6, 4)), np.kron(labels[0], np.ones((2, 2), np.uint16))[None]
    )
    np.testing.assert_array_equal(resize_labels(labels, (1, 1)), [[[4]]])
    np.testing.assert_array_equal(resize_labels(labels, (3, 2)), labels)


def test_photos_are_shrunk_and_never_enlarged():
    large = photo(300, 200)
    assert shrunk(large, 150).shape == (100, 150, 3)
    np.testing.assert_allclose(
        shrunk(large, 150), large.reshape(100, 2, 150, 2, 3).mean((1, 3)), atol=1
    )  # every pixel counts
    assert shrunk(large, 400) is large and shrunk(photo(900, 2), 30).shape == (1, 30, 3)


@pytest.mark.parametrize("method", ["slic", "felzenszwalb"])
def test_superpixels_cover_the_photo_at_each_scale_ever_finer(method):
    step = SuperpixelMasks(method)
    masks = _run(step, item(width=400, height=260))
    assert masks.shape == (3, 260, 400) and masks.dtype == np.uint16 and masks.min() == 1
    counts = [len(np.unique(level)) for level in masks]
    assert counts == sorted(counts) and counts[0] >= 2 and counts[2] > 2 * counts[0]
    np.testing.assert_array_equal(masks, _run(SuperpixelMasks(method), item(width=400, height=260)))
    # the drawn bar ends at 0.7 of the width: some border of the finest level runs along it
    jumps = (masks[2][:, 1:] != masks[2][:, :-1]).mean(axis=0)
    assert jumps[275:285].max() > 0.9


def test_superpixels_of_odd_photos():
    for shape in ((1, 1), (1, 40), (3, 2)):
        odd = CADItem("a", 0, "a", photo=np.full((*shape, 3), 7, np.uint8))
        masks = _run(SuperpixelMasks(), odd)
        assert masks.shape == (3, *shape) and masks.min() >= 1
    with pytest.raises(ValueError, match="SuperpixelMasks needs `photo`"):
        _run(SuperpixelMasks(), CADItem("a", 0, "a"))


def test_sam_masks_run_for_real_with_random_weights():
    step = _sam()
    masks = _run(step, item(width=200, height=120))
    assert masks.shape == (3, 120, 200) and masks.dtype == np.uint16 and masks.any()
    areas = [[(level == i).mean() for i in range(1, level.max() + 1)] for level in masks]
    # what is seen of a mask is never more than its area, which is below the upper bound of its level
    assert all(a < 0.1 for a in areas[1]) and all(a < 0.02 for a in areas[2])
    np.testing.assert_array_equal(masks, _run(_sam(), item(width=200, height=120)))
    assert not np.array_equal(masks, _run(_sam(random_weights_seed=1), item(width=200, height=120)))
    assert not _run(_sam(pred_iou_thresh=1e9)).any()  # sure of nothing: no mask, no fault
    step.close()
    np.testing.assert_array_equal(masks, _run(step, item(width=200, height=120)))


def test_sam_finds_the_labels_on_a_small_copy_of_a_large_photo():
    masks = _run(_sam(long_side=60), item(width=240, height=160))
    assert masks.shape == (3, 160, 240)
    np.testing.assert_array_equal(masks, np.kron(masks[:, ::4, ::4], np.ones((1, 4, 4), np.uint16)))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_sam_loads_a_whole_checkpoint(tmp_path, suffix):
    from safetensors.torch import save_file

    source = _sam(random_weights_seed=3)
    path = tmp_path / f"sam{suffix}"
    state = source.network.state_dict()
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    loaded = _sam(checkpoint=path, random_weights_seed=None)
    assert loaded.fingerprint == source.fingerprint != _sam().fingerprint
    np.testing.assert_array_equal(_run(loaded), _run(source))
    with pytest.raises(ValueError, match=r"sam\..*not weights of a whole SAM vit_b.*choose the model_type"):
        _run(_sam(checkpoint=path, random_weights_seed=None, arch=dict(TINY, depth=3)))
    part = {k: v for k, v in state.items() if k.startswith("image_encoder.")}
    torch.save(part, tmp_path / "encoder.pth")
    with pytest.raises(ValueError, match="not a whole SAM in the official layout, prompt_encoder"):
        _run(_sam(checkpoint=tmp_path / "encoder.pth", random_weights_seed=None))


def test_a_checkpoint_that_holds_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"image_encoder.x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth: cannot be read as weights"):
        _run(_sam(checkpoint=tmp_path / "evil.pth", random_weights_seed=None))


@pytest.mark.parametrize(
    ("step", "settings", "error", "message"),
    [
        (SuperpixelMasks, dict(method="watershed"), ValueError, "'slic', 'felzenszwalb'"),
        (SuperpixelMasks, dict(scales=(30, 10)), ValueError, "rising numbers of segments"),
        (SuperpixelMasks, dict(method="felzenszwalb", scales=(10, 30)), ValueError, "falling thresholds"),
        (SuperpixelMasks, dict(scales=()), ValueError, "coarse to fine"),
        (SuperpixelMasks, dict(long_side=8), ValueError, "at least 16"),
        (SAMMasks, dict(), ValueError, "SAMMasks needs a checkpoint: official weights"),
        (SAMMasks, dict(checkpoint="a.pth", random_weights_seed=0), ValueError, "not both"),
        (SAMMasks, dict(checkpoint="nowhere/a.pth"), FileNotFoundError, "nowhere/a.pth: no such weight file"),
        (
            SAMMasks,
            dict(random_weights_seed=0, level_shares=(0.1, 0.2)),
            ValueError,
            "level_shares must fall",
        ),
        (SAMMasks, dict(random_weights_seed=0, points_per_side=0), ValueError, "points_per_side"),
        (SAMMasks, dict(random_weights_seed=0, model_type="vit_x"), ValueError, "unknown SAM model_type"),
    ],
)
def test_faults(step, settings, error, message):
    with pytest.raises(error, match=message):
        step(**settings)


def test_what_changes_masks_changes_the_fingerprint():
    steps = [SuperpixelMasks(), SuperpixelMasks("felzenszwalb"), SuperpixelMasks(scales=(8, 32))]
    steps += [SuperpixelMasks(long_side=128), _sam(), _sam(points_per_side=5), _sam(level_shares=(0.2, 0.02))]
    assert len({step.fingerprint for step in steps}) == len(steps)
    assert _sam(points_per_batch=1).fingerprint == _sam().fingerprint
    built = GENERATION_STEPS.build(dict(type="SuperpixelMasks"))
    assert (
        built.fingerprint == SuperpixelMasks().fingerprint and built.makes == ("masks",) and built.per_source
    )
