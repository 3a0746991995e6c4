"""EvidenceTeacher against its parts put together by hand, and what its options do."""

import numpy as np
import pytest
import torch
from PIL import Image

from procrop.generation.curation.consensus_crops import consensus_crops, usable_windows, window_lattice
from procrop.generation.curation.window_merit import WindowMerit
from procrop.models.backbones import SubjectEvidenceBackbone
from procrop.models.teachers import EvidenceTeacher
from procrop.registry import MODELS


@pytest.fixture(scope="module")
def teacher():
    return MODELS.build(dict(type="EvidenceTeacher", sides=[128]))


@pytest.fixture(scope="module")
def photo():
    """A bright ball on grey, right of the middle: (120, 160, 3)."""
    y, x = np.mgrid[:120, :160]
    ball = ((x - 110) ** 2 + (y - 60) ** 2 < 30**2)[..., None]
    noise = np.random.default_rng(0).integers(0, 30, (120, 160, 3))
    return (np.where(ball, [200, 90, 30], [90, 100, 110]) + noise).astype(np.uint8)


def map_by_hand(photo, size, raster, mirrored=False):
    """Mean of both maps by the backbone as it is in a model: no folding, no other memory layout."""
    backbone = SubjectEvidenceBackbone()
    backbone.net.load_pretrained()
    small = np.array(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR), np.float32)
    x = torch.from_numpy((small - 127) / 128).permute(2, 0, 1)[None]
    found = backbone.eval()(x.flip(3) if mirrored else x)[0][0].mean(dim=0)
    found = found.flip(1) if mirrored else found
    return torch.nn.functional.interpolate(found[None, None], raster, mode="bilinear")[0, 0].numpy()


def test_map_and_crops_are_those_of_the_parts(teacher, photo):
    subject = map_by_hand(photo, (128, 96), (36, 48))
    np.testing.assert_allclose(teacher.subject_map(photo), subject, rtol=1e-3, atol=1e-3)
    merits = WindowMerit()(teacher.subject_map(photo), window_lattice()[0])
    wanted = consensus_crops(merits, usable_windows((160, 120)), 4, 0.05)
    found = teacher(photo)
    np.testing.assert_array_equal(found.boxes, wanted.boxes)
    np.testing.assert_array_equal(found.agreement, wanted.agreement)


def test_the_subject_is_seen_and_kept(teacher, photo):
    subject = teacher.subject_map(photo)
    x = np.average(np.arange(48) + 0.5, weights=subject.sum(axis=0)) / 48
    assert 0.55 < x < 0.8
    assert (teacher(photo).boxes[0, [0, 2]] >= [0.05, 0.8]).all()


def test_maps_of_several_sides_and_of_the_mirror_image_are_averaged(photo):
    teacher = EvidenceTeacher(sides=(96, 128), mirrored=True)
    views = [
        map_by_hand(photo, size, (36, 48), mirrored)
        for size in ((96, 64), (128, 96))
        for mirrored in (False, True)
    ]
    np.testing.assert_allclose(teacher.subject_map(photo), np.mean(views, axis=0), rtol=1e-3, atol=1e-3)
    mirrored = teacher.subject_map(np.ascontiguousarray(photo[:, ::-1]))
    np.testing.assert_allclose(mirrored[:, ::-1], teacher.subject_map(photo), rtol=1e-3, atol=1e-3)


def test_upright_photos_have_upright_maps(teacher, photo):
    upright = np.ascontiguousarray(photo.transpose(1, 0, 2))
    assert teacher.subject_map(upright).shape == (48, 36)
    assert teacher.subject_map(photo[:3]).shape == (1, 48)


def test_a_photo_without_anything_has_an_empty_map(teacher):
    plain = np.full((64, 96, 3), 127, np.uint8)
    subject = teacher.subject_map(plain)
    assert subject.shape == (32, 48) and not subject.any()
    assert np.isfinite(teacher(plain).boxes).all()


def test_options_reach_the_parts(teacher, photo):
    subject = teacher.subject_map(photo)
    tight = EvidenceTeacher(sides=[128], merit=dict(usual_area=0.3), count=2, temperature=0.01)
    found = tight.crops(subject, (160, 120))
    merits = WindowMerit(usual_area=0.3)(subject, window_lattice()[0])
    np.testing.assert_array_equal(
        found.boxes, consensus_crops(merits, usable_windows((160, 120)), 2, 0.01).boxes
    )
    # 1:4, where hardly a window of the lattice is of a usual shape
    wide = tight.crops(subject, (400, 100)).boxes
    assert ((wide[:, 2] - wide[:, 0]) * 4 / (wide[:, 3] - wide[:, 1]) <= 2.1).all()


def test_fingerprint_tells_what_changes_the_crops(teacher):
    same = EvidenceTeacher(sides=(128,), merit=dict(price=WindowMerit().price), device="cpu")
    assert same.fingerprint == teacher.fingerprint
    others = [dict(sides=[160]), dict(mirrored=True), dict(merit=dict(price=0.2)), dict(temperature=0.1)]
    prints = {EvidenceTeacher(**(dict(sides=[128]) | other)).fingerprint for other in others}
    assert len(prints | {teacher.fingerprint}) == len(others) + 1


@pytest.mark.parametrize("sides", [[], [100], [0]])
def test_sides_that_cannot_be_are_refused(sides):
    with pytest.raises(ValueError, match="multiples of 32"):
        EvidenceTeacher(sides=sides)
