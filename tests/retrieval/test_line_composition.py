"""Retrieval by lines: what changes a key and what does not, on drawn scenes and on real photos."""

import io

import cv2
import numpy as np
import pytest
from line_scenes import COMPOSITIONS, draw_scene
from PIL import Image

from procrop.retrieval.backbones import LineCompositionRetrieval


@pytest.fixture(scope="module")
def encoder():
    return LineCompositionRetrieval()


@pytest.fixture(scope="module")
def photos():
    import skimage.data

    colour = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    return [*colour, np.dstack([skimage.data.camera()] * 3)]


def _line(angle=0.0, offset=0.0, size=(360, 360)):
    """A step edge through the middle, turned by ``angle`` degrees and moved down by ``offset`` of the height."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height * (0.5 + offset))
    turn = np.deg2rad(angle)
    above = y * np.cos(turn) - x * np.sin(turn) < 0
    return np.where(above[..., None], np.uint8(190), np.uint8(70)).repeat(3, axis=2)


def test_shapes_and_types(encoder, photos):
    found = encoder.encode(photos[:2])
    assert found.keys.shape == (2, 8 * 8 * 12 * 2 + 1) and found.keys.dtype == np.float32
    assert found.tokens is None and encoder.token_shape is None and encoder.token_grid is None
    assert encoder.key_dim == 1537 and encoder.metric == "cosine"
    np.testing.assert_allclose(np.linalg.norm(found.keys, axis=1), 1, rtol=1e-5)
    assert encoder.encode([]).keys.shape == (0, 1537)
    small = LineCompositionRetrieval(grid=(2, 3), orientations=4, length_bins=1)
    assert small.encode(photos[:1]).keys.shape == (1, 25) == (1, small.key_dim)


def test_a_mirrored_diagonal_is_far(encoder):
    rising, falling = (
        encoder.encode([draw_scene(f"diagonal {way}", 5)]).keys[0] for way in ("rising", "falling")
    )
    again = encoder.encode([draw_scene("diagonal rising", 6)]).keys[0]
    line = _line(angle=35)
    mirror = encoder.encode([line, line[:, ::-1]]).keys
    assert rising @ falling < 0.35 < 0.6 < rising @ again
    assert mirror[0] @ mirror[1] < 0.2


def test_a_mirrored_photo_is_farther_than_a_worse_copy(encoder, photos):
    straight, mirrored = encoder.encode(photos).keys, encoder.encode([p[:, ::-1] for p in photos]).keys
    assert ((straight * mirrored).sum(axis=1) < 0.8).all()


@pytest.mark.parametrize("start", [0, 17])
def test_a_turned_line_is_gradually_farther(encoder, start):
    keys = encoder.encode([_line(angle=start + a) for a in range(0, 50, 5)]).keys
    similar = keys @ keys[0]
    steps = np.diff(similar)
    assert (steps[:7] < 0).all() and (similar[7:] < 0.12).all()
    assert similar[1] > 0.85 and steps.min() > -0.3  # no jump from bin to bin


@pytest.mark.parametrize("start", [0, 0.03])
def test_a_shifted_line_is_gradually_farther(encoder, start):
    keys = encoder.encode([_line(offset=start + 0.04 * i) for i in range(9)]).keys
    similar = keys @ keys[0]
    steps = np.diff(similar)
    assert (steps[:7] < 0).all() and (similar[7:] < 0.17).all()
    assert similar[1] > 0.85 and steps.min() > -0.3


def _clip(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _jpeg(photo, quality):
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "brighter": lambda p: _clip(p * 1.0 + 40),
    "flatter": lambda p: _clip((p - 128.0) * 0.5 + 128),
    "darker by gamma": lambda p: _clip(255 * (p / 255) ** 1.6),
    "warmer": lambda p: _clip(p * np.array([1.15, 1.0, 0.8])),
    "grey": lambda p: np.dstack([cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)] * 3),
    "noise": lambda p: _clip(p + np.random.default_rng(0).normal(0, 12, p.shape)),
    "jpeg": lambda p: _jpeg(p, 30),
    "half the size": lambda p: np.asarray(Image.fromarray(p).reduce(2)),
    "cut by 2 percent": lambda p: p[:, p.shape[1] // 50 :],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_composition_changes_little(encoder, photos, change):
    keys, changed = encoder.encode(photos).keys, encoder.encode([CHANGES[change](p) for p in photos]).keys
    others = (keys @ keys.T)[~np.eye(len(keys), dtype=bool)].max()
    assert (keys * changed).sum(axis=1).min() > 0.95 > others + 0.1


def test_featureless_photos_have_a_key_and_are_near_quiet_ones(encoder):
    rng = np.random.default_rng(1)
    flat = [np.full((40, 60, 3), value, np.uint8) for value in (0, 128, 255)]
    noisy = _clip(rng.normal(120, 8, (300, 400, 3)))
    dash = np.full((400, 400, 3), 90, np.uint8)
    dash[200:, 180:220] = 180
    short = dash.copy()
    short[260:] = 90
    keys = encoder.encode([*flat, noisy, short, dash, _line(30)]).keys
    assert np.linalg.norm(keys, axis=1) == pytest.approx(1, rel=1e-5)
    similar = keys @ keys[0]
    assert similar[:4] == pytest.approx(1, abs=1e-4)
    # the longer the lines, the farther from a photo without any
    assert similar[4] > similar[5] > similar[6]


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (1, 800), (30000, 20), (3, 3), (64, 64)])
def test_any_size_has_a_key_of_length_one(encoder, size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    keys = encoder.encode([image]).keys
    assert np.isfinite(keys).all() and np.linalg.norm(keys) == pytest.approx(1, rel=1e-5)
    prepared = encoder.prepare(image)
    assert max(prepared.shape) == 256 and min(prepared.shape[:2]) >= 64
    assert encoder.prepare(prepared) is prepared


def test_company_order_and_repetition_change_nothing(encoder, photos):
    together = encoder.encode([*photos, *photos[::-1]]).keys
    for row, photo in enumerate([*photos, *photos[::-1]]):
        np.testing.assert_array_equal(encoder.encode([photo]).keys[0], together[row])
    whole = encoder.encode([encoder.prepare(p) for p in photos]).keys
    np.testing.assert_array_equal(whole, together[: len(photos)])


def test_format_does_not_matter_to_the_frame(encoder):
    """A line from corner to corner is the same in every format."""
    sizes = [(360, 360), (480, 320), (320, 480)]
    angles = [np.rad2deg(np.arctan2(h, w)) for w, h in sizes]
    keys = encoder.encode([_line(a, size=s) for a, s in zip(angles, sizes, strict=True)]).keys
    assert (keys @ keys.T).min() > 0.97


def _precision(keys, labels, k=5):
    keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    similar = keys @ keys.T
    np.fill_diagonal(similar, -np.inf)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    return float((labels[nearest] == labels[:, None]).mean())


def test_neighbours_share_the_composition_not_the_colours(encoder):
    number = 8
    scenes = [draw_scene(name, seed) for name in COMPOSITIONS for seed in range(number)]
    labels = np.repeat(np.arange(len(COMPOSITIONS)), number)
    lines = _precision(encoder.encode(scenes).keys, labels)
    colours = _precision(np.stack([s.mean(axis=(0, 1)) for s in scenes]), labels)
    small = np.stack([cv2.resize(s, (16, 16), interpolation=cv2.INTER_AREA).ravel() for s in scenes]) * 1.0
    pixels = max(_precision(small, labels), _precision(small - small.mean(axis=1, keepdims=True), labels))
    assert lines >= 0.95
    assert colours < 0.3 and pixels < 0.5


def test_fingerprint_follows_what_matters(encoder):
    assert LineCompositionRetrieval(device="cpu").fingerprint == encoder.fingerprint
    others = [dict(image_size=128), dict(grid=(4, 16)), dict(orientations=8), dict(length_bins=3)]
    assert len({encoder.fingerprint, *(LineCompositionRetrieval(**o).fingerprint for o in others)}) == 5


@pytest.mark.parametrize(
    "arguments",
    [dict(image_size=32), dict(grid=(0, 4)), dict(grid=(4,)), dict(orientations=3), dict(length_bins=0)],
)
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LineCompositionRetrieval(**arguments)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_photo_is_refused(encoder, image):
    with pytest.raises(ValueError, match="photo must"):
        encoder.encode([image])


def test_the_config_builds_it_and_its_gallery_is_searched(tmp_path):
    from pathlib import Path

    from mmengine.config import Config

    from procrop.retrieval import build_gallery, items_from_folder

    config = Path(__file__).parents[2] / "configs" / "_base_" / "retrieval" / "line_composition.py"
    retrieval = Config.fromfile(config).to_dict()["retrieval"]
    for name in COMPOSITIONS:
        for seed in (1, 2):
            path = tmp_path / "photos" / f"{name.replace('/', '_')}_{seed}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(draw_scene(name, seed)).save(path)
    items = items_from_folder(tmp_path / "photos")
    gallery = build_gallery(tmp_path / "gallery", items, retrieval, tmp_path / "photos")
    # the lines find, the second encoder gives the tokens
    assert gallery.token_shape == (64, 112) and gallery.backbone().token_shape is None
    for name in COMPOSITIONS:
        ids, _ = gallery.search([draw_scene(name, 3)], 1)
        assert gallery.names[ids[0, 0]].startswith(name.replace("/", "_"))
