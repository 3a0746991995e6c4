"""Photometric distortion against colour arithmetic of the standard library."""

import colorsys

import numpy as np
import pytest

from procrop.datasets.transforms import PhotometricDistortion

IMG = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)


def _apply(seed=0, img=IMG, **kwargs):
    np.random.seed(seed)
    before = img.copy()
    out = PhotometricDistortion(**kwargs)(dict(img=img))["img"]
    np.testing.assert_array_equal(img, before)  # the caller's array is not changed
    assert out.dtype == np.uint8 and out.shape == img.shape
    return out


OFF = dict(brightness=0, contrast=(1, 1), saturation=(1, 1), hue=0, prob=1)


def test_probability_zero_changes_nothing():
    np.testing.assert_array_equal(_apply(prob=0), IMG)


@pytest.mark.parametrize("seed", range(5))
def test_brightness_is_a_clipped_shift(seed):
    out = _apply(seed, **{**OFF, "brightness": 32})
    inner = (IMG > 40) & (IMG < 215)
    shift = out.astype(int) - IMG
    # the conversion to colours and back rounds once more
    assert np.ptp(shift[inner]) <= 2 and 1 < abs(np.median(shift[inner])) <= 33


def test_contrast_is_a_clipped_factor():
    out = _apply(**{**OFF, "contrast": (1.5, 1.5)})
    expected = np.clip(IMG * 1.5, 0, 255)
    # saturated colours stay within their rounding
    assert np.abs(out - expected).max() <= 1.5


@pytest.mark.parametrize("factor,turn", [(0.5, 0), (1.5, 0), (1, 18)])
def test_saturation_and_hue_agree_with_colorsys(monkeypatch, factor, turn):
    draws = iter([0.0, 1.0, factor, turn])
    monkeypatch.setattr(np.random, "uniform", lambda *_: next(draws))
    out = _apply(prob=1, brightness=0, contrast=(1, 1))
    for pixel, found in zip(IMG.reshape(-1, 3), out.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255))
        expected = colorsys.hsv_to_rgb((hue + turn / 360) % 1, min(saturation * factor, 1), value)
        assert np.abs(found - np.array(expected) * 255).max() <= 1


def test_amounts_stay_within_the_published_ranges_and_vary(monkeypatch):
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    means = [_apply(seed, grey).mean() for seed in range(300)]
    assert min(means) >= (100 - 32) * 0.5 - 1 and max(means) <= (100 + 32) * 1.5 + 1
    assert min(means) < 60 and max(means) > 150
    # brightness and contrast both left out: one draw in four
    assert 0.15 < np.mean(np.array(means) == 100) < 0.35
    # channels are never exchanged or tinted: grey stays grey
    assert all(np.ptp(_apply(seed, grey)) == 0 for seed in range(20))


def test_draws_come_from_numpys_global_generator():
    np.testing.assert_array_equal(_apply(7), _apply(7))
    assert not np.array_equal(_apply(7), _apply(8))
