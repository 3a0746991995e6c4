"""What every outpainter keeps, tried with hostile ones; the two stand-ins."""

import dataclasses

import numpy as np
import pytest
from canvas_scenes import PLAN, item, photo
from PIL import Image

from procrop.generation import CanvasPlan
from procrop.generation.known_area import distance_to_known, known_mask
from procrop.generation.steps.outpainters import OpenCVOutpainter, ReflectOutpainter
from procrop.generation.steps.outpainters.base import Outpainter
from procrop.generation.steps.outpainters.reflect_outpainter import mirrored_canvas
from procrop.registry import GENERATION_STEPS

RNG = np.random.default_rng


def _expected(plan, source):
    """The downscaled photo, made without the project's code."""
    return np.asarray(Image.fromarray(source).resize(plan.known_size, Image.Resampling.LANCZOS))


def _known(image, plan):
    x1, y1, x2, y2 = plan.known
    return image[y1:y2, x1:x2]


class Hostile(Outpainter):
    """Writes over everything it gets hold of, and keeps what it answers."""

    fingerprint = "0" * 64

    def paint(self, canvas, item, rng):
        canvas[:] = 255
        with pytest.raises(ValueError, match="read-only"):
            item.photo[:] = 0
        object.__setattr__(item.canvas, "known", (0, 0, 1, 1))
        self.answer = np.full_like(canvas, 7)
        return self.answer


class FortranAndBack(Outpainter):
    """Answers with another layout in memory."""

    fingerprint = "0" * 64

    def paint(self, canvas, item, rng):
        return np.asfortranarray(rng.integers(0, 256, canvas.shape, dtype=np.uint8))


def test_a_hostile_painter_cannot_touch_the_known_area():
    plan, painter = dataclasses.replace(PLAN), Hostile()
    before = item(plan)
    source = before.photo.copy()
    image = painter.run(before, RNG(0)).image
    painter.answer[:] = 99
    np.testing.assert_array_equal(_known(image, PLAN), _expected(PLAN, source))
    assert (image[~known_mask(PLAN)] == 7).all()
    np.testing.assert_array_equal(before.photo, source)
    assert image.flags.c_contiguous and image.flags.owndata


@pytest.mark.parametrize("painter", [FortranAndBack(), ReflectOutpainter(), OpenCVOutpainter()])
@pytest.mark.parametrize("size", [(180, 120), (54, 36)])  # downscaled, and as it is
def test_the_known_area_is_the_downscaled_photo(painter, size):
    before = item(PLAN, width=size[0], height=size[1])
    image = painter.run(before, RNG(0)).image
    assert image.shape == (83, 97, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(_known(image, PLAN), _expected(PLAN, before.photo))
    if size == (54, 36):
        np.testing.assert_array_equal(_known(image, PLAN), before.photo)
        assert not np.shares_memory(image, before.photo)


def test_run_cannot_be_replaced():
    with pytest.raises(TypeError, match="Cheat must not replace run"):

        class Cheat(Outpainter):
            def run(self, item, rng):
                return item


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "not NoneType"),
        (np.zeros((83, 97, 3)), r"not float64 \(83, 97, 3\)"),
        (np.zeros((97, 83, 3), np.uint8), r"uint8 array of shape \(83, 97, 3\), not uint8 \(97, 83, 3\)"),
    ],
)
def test_other_answers_are_refused(monkeypatch, answer, message):
    monkeypatch.setattr(FortranAndBack, "paint", lambda *_: answer)
    with pytest.raises(ValueError, match=message):
        FortranAndBack().run(item(PLAN), RNG(0))


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="ReflectOutpainter needs `canvas`"):
        ReflectOutpainter().run(item(), RNG(0))


def test_distance_to_the_known_area():
    from scipy.ndimage import distance_transform_edt

    expected = distance_transform_edt(~known_mask(PLAN))
    np.testing.assert_allclose(distance_to_known(PLAN), expected, rtol=1e-6)


@pytest.mark.parametrize("known", [(30, 20, 60, 70), (0, 0, 7, 5), (90, 80, 97, 83), (3, 0, 97, 83)])
def test_reflection_is_numpys_symmetric_padding(known):
    x1, y1, x2, y2 = known
    canvas = np.zeros((83, 97, 3), np.uint8)
    canvas[y1:y2, x1:x2] = photo()[: y2 - y1, : x2 - x1]
    expected = np.pad(canvas[y1:y2, x1:x2], ((y1, 83 - y2), (x1, 97 - x2), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(mirrored_canvas(canvas, known), expected)
    plain = ReflectOutpainter(max_blur=0).run(item(CanvasPlan(97, 83, known)), RNG(0)).image
    np.testing.assert_array_equal(plain, mirrored_canvas(plain, known))


def test_the_blur_grows_outwards():
    plan = CanvasPlan(400, 300, (150, 100, 250, 200))
    source = RNG(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    before = item(plan).with_(photo=source)
    image = ReflectOutpainter(0.02).run(before, RNG(0)).image.astype(float)
    rough = np.abs(np.diff(image, axis=1)).mean(axis=(0, 2))  # a column's roughness
    strips = [rough[a:b].mean() for a, b in ((0, 40), (50, 90), (100, 140), (151, 249))]
    assert strips == sorted(strips) and strips[0] < 0.15 * strips[3] and strips[2] < 0.75 * strips[3]
    # colours stay: each strip mirrors the same noise
    assert np.abs(image.mean(axis=(0, 1)) - source.mean(axis=(0, 1))).max() < 3


@pytest.mark.parametrize("method", ["telea", "ns"])
def test_inpainting_carries_colours_over_the_border_and_roughness_with_them(method):
    plan = CanvasPlan(300, 200, (60, 40, 240, 160))
    source = np.zeros((120, 180, 3), np.uint8)
    source[:, :90], source[:, 90:] = (200, 40, 40), (40, 40, 200)
    source = (source + RNG(0).normal(0, 6, (120, 180, 1))).clip(0, 255).astype(np.uint8)
    image = OpenCVOutpainter(method).run(item(plan).with_(photo=source), RNG(0)).image.astype(float)
    np.testing.assert_allclose(image[:, :40].mean(axis=(0, 1)), [200, 40, 40], atol=25)
    np.testing.assert_allclose(image[:, 260:].mean(axis=(0, 1)), [40, 40, 200], atol=25)
    inside, outside = (
        np.abs(np.diff(image[rows, 70:110, 0], axis=1)).mean() for rows in (slice(50, 150), slice(0, 30))
    )
    assert 0.4 < outside / inside < 1.3
    smooth = OpenCVOutpainter(method, noise=0).run(item(plan).with_(photo=source), RNG(0)).image.astype(float)
    assert np.abs(np.diff(smooth[:30, 70:110, 0], axis=1)).mean() < 0.5 * outside


@pytest.mark.parametrize("painter", [ReflectOutpainter(), OpenCVOutpainter()])
def test_stand_ins_are_named_so_and_depend_on_the_generator_alone(painter):
    assert painter.stand_in and "STAND-IN" in type(painter).__doc__
    first, second = (painter.run(item(PLAN), RNG(5)).image for _ in range(2))
    np.testing.assert_array_equal(first, second)
    built = GENERATION_STEPS.build(dict(type=type(painter).__name__))
    assert built.fingerprint == painter.fingerprint and built.makes == ("image",)


@pytest.mark.parametrize("known", [(0, 0, 97, 83), (40, 30, 41, 31), (0, 82, 97, 83)])
@pytest.mark.parametrize("painter", [ReflectOutpainter(), OpenCVOutpainter()])
def test_a_canvas_all_known_or_hardly_known(painter, known):
    plan = CanvasPlan(97, 83, known)
    before = item(plan)
    image = painter.run(before, RNG(0)).image
    np.testing.assert_array_equal(_known(image, plan), _expected(plan, before.photo))


def test_fingerprints_and_faults():
    painters = [ReflectOutpainter(), ReflectOutpainter(0.01), OpenCVOutpainter(), OpenCVOutpainter("ns")]
    painters += [OpenCVOutpainter(noise=0), OpenCVOutpainter(radius=3), OpenCVOutpainter(long_side=64)]
    assert len({p.fingerprint for p in painters}) == len(painters)
    with pytest.raises(ValueError, match="max_blur"):
        ReflectOutpainter(-1)
    with pytest.raises(ValueError, match="'telea', 'ns'"):
        OpenCVOutpainter("magic")
    with pytest.raises(ValueError, match="long_side must be at least 16"):
        OpenCVOutpainter(long_side=4)
