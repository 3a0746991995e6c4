"""What is measured in a photo: edge directions and the place of the subject, on drawn and real photos."""

import numpy as np
import pytest

from procrop.evaluation.photo_composition import PhotoComposition, edge_pieces, saliency_map


def _edge(angle, size=(420, 320)):
    """A step edge through the middle at ``angle`` degrees, y down."""
    x, y = np.meshgrid(np.arange(size[0]) - size[0] / 2, np.arange(size[1]) - size[1] / 2)
    turn = np.deg2rad(angle)
    above = y * np.cos(turn) - x * np.sin(turn) < 0
    return np.where(above[..., None], np.uint8(180), np.uint8(60)).repeat(3, axis=2)


def _disc(x, y, size=(300, 200), radius=0.07, noise=6.0):
    rng = np.random.default_rng(0)
    across, down = np.meshgrid((np.arange(size[0]) + 0.5), (np.arange(size[1]) + 0.5))
    inside = np.hypot(across - x * size[0], down - y * size[1]) < radius * size[0]
    photo = np.where(inside[..., None], np.array([200, 60, 40.0]), np.array([90, 120, 90.0]))
    return np.clip(photo + rng.normal(0, noise, photo.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("angle", [0, 20, 45, 90, 110, 135, 170])
def test_edges_have_the_direction_and_the_length_of_the_line(angle):
    angles, lengths = edge_pieces(_edge(angle))
    turn = np.abs(np.mod(np.rad2deg(angles) - angle + 90, 180) - 90)
    assert np.median(turn) < 1.5 and np.quantile(turn, 0.9) < 5
    # at a long side of 320: the part of the line inside a photo of 320 x 244
    reach = min(
        320 / max(abs(np.cos(np.deg2rad(angle))), 1e-9), 244 / max(abs(np.sin(np.deg2rad(angle))), 1e-9)
    )
    assert lengths.sum() == pytest.approx(reach, rel=0.08)


def test_turned_edges_agree_less_the_more_they_are_turned():
    base = PhotoComposition.of(_edge(30))
    agreement = [base.agreement(PhotoComposition.of(_edge(30 + turn)))[0] for turn in (0, 5, 10, 30)]
    assert agreement[0] == pytest.approx(1)
    assert (np.diff(agreement) < 0).all() and agreement[-1] < 0.1


def test_mirrored_edges_disagree():
    base = PhotoComposition.of(_edge(40))
    assert base.agreement(PhotoComposition.of(_edge(40)[:, ::-1]))[0] < 0.05


@pytest.mark.parametrize("place", [(0.2, 0.3), (0.5, 0.5), (0.8, 0.75)])
def test_the_subject_is_where_the_disc_is(place):
    assert PhotoComposition.of(_disc(*place)).subject == pytest.approx(place, abs=0.03)


def test_subjects_agree_by_their_distance():
    left, right = PhotoComposition.of(_disc(0.25, 0.5)), PhotoComposition.of(_disc(0.75, 0.5))
    assert left.agreement(right)[1] == pytest.approx(1 - 0.5 / np.sqrt(2), abs=0.03)


def test_brightness_and_size_of_a_real_photo_matter_little():
    import skimage.data

    photo = skimage.data.coffee()
    base = PhotoComposition.of(photo)
    other = skimage.data.rocket()
    assert base.agreement(base) == pytest.approx((1, 1))
    for changed in (photo[::2, ::2], (photo * 0.6 + 30).astype(np.uint8)):
        lines, subject = base.agreement(PhotoComposition.of(changed))
        assert lines > 0.9 and subject > 0.97
    assert base.agreement(PhotoComposition.of(other))[0] < 0.8


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (1, 800), (3000, 20), (64, 48)])
def test_a_photo_without_features_prefers_nothing(size):
    photo = np.full((size[1], size[0], 3), 77, np.uint8)
    found = PhotoComposition.of(photo)
    np.testing.assert_allclose(found.orientations, 1 / 12)
    assert found.subject == (0.5, 0.5)
    assert (saliency_map(photo) >= 0).all() and max(saliency_map(photo).shape) <= 128


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (30000, 20)])
def test_any_size_can_be_measured(size):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    found = PhotoComposition.of(photo)
    assert found.orientations.sum() == pytest.approx(1) and all(0 <= v <= 1 for v in found.subject)
