"""What holds for CLIP, DreamSim and LPIPS alike: the whole photo, no influence of company, fingerprints."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from procrop.registry import RETRIEVAL_BACKBONES
from procrop.retrieval import build_gallery, items_from_folder

CLIP = dict(
    type="CLIPRetrieval",
    random_weights_seed=0,
    token_grid=(3, 3),
    config=dict(
        hidden_size=32,
        intermediate_size=64,
        projection_dim=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=8,
        # the published initialisation makes the network all but blind to its input at this size
        initializer_factor=8.0,
    ),
)
DREAMSIM = dict(
    type="DreamSimRetrieval",
    random_weights_seed=0,
    config=dict(width=32, depth=2, heads=4, out_dim=16),
)
LPIPS = dict(type="LPIPSRetrieval", image_size=32, random_weights_seed=0)
ENCODERS = {
    "clip": (CLIP, 16, (9, 32)),
    "clip_keep_aspect": (dict(CLIP, resize="keep_aspect"), 16, (9, 32)),
    "clip_centre_crop": (dict(CLIP, resize="centre_crop"), 16, (9, 32)),
    "clip_larger": (dict(CLIP, image_size=48), 16, (9, 32)),
    "dreamsim": (DREAMSIM, 32 + 2 * 16, (49, 96)),
    "dreamsim_keys": (dict(DREAMSIM, variant="clip_vitb32", token_grid=None), 16, None),
    "lpips": (LPIPS, 5760, None),
}


@pytest.fixture(scope="module", params=ENCODERS)
def case(request):
    config, key_dim, token_shape = ENCODERS[request.param]
    return request.param, RETRIEVAL_BACKBONES.build(dict(config)), key_dim, token_shape


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [skimage.data.chelsea(), skimage.data.coffee(), np.rot90(skimage.data.coffee()).copy()]


def cosines(a, b):
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_shapes_and_types(case, images):
    _, encoder, key_dim, token_shape = case
    assert (encoder.key_dim, encoder.token_shape) == (key_dim, token_shape)
    for photos in (images, []):
        found = encoder.encode(photos)
        assert found.keys.shape == (len(photos), key_dim) and found.keys.dtype == np.float32
        if token_shape is None:
            assert found.tokens is None and encoder.token_grid is None
        else:
            assert found.tokens.shape == (len(photos), *token_shape) and found.tokens.dtype == np.float16
            assert encoder.token_grid[0] * encoder.token_grid[1] == token_shape[0]


def test_company_and_order_change_nothing(case, images):
    _, encoder, _, token_shape = case
    together = encoder.encode([*images, *images[::-1], *images, *images])
    for i, image in enumerate(images):
        alone = encoder.encode([image])
        for row in (i, 5 - i, 6 + i):
            np.testing.assert_allclose(together.keys[row], alone.keys[0], rtol=1e-4, atol=1e-4)
            if token_shape is not None:
                np.testing.assert_allclose(together.tokens[row], alone.tokens[0], rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize("size", [(1, 1), (30000, 20), (20, 30000), (3, 2)])
def test_photos_of_any_shape(case, size):
    _, encoder, _, _ = case
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (size[1], size[0], 3), np.uint8)
    prepared = encoder.prepare(image)
    assert prepared.size <= 3 * 224 * 224
    assert encoder.prepare(prepared) is prepared
    assert np.isfinite(encoder.encode([image]).keys).all()


def test_prepared_and_whole_photos_agree(case, images):
    _, encoder, _, token_shape = case
    whole, prepared = encoder.encode(images), encoder.encode([encoder.prepare(image) for image in images])
    np.testing.assert_array_equal(whole.keys, prepared.keys)
    if token_shape is not None:
        np.testing.assert_array_equal(whole.tokens, prepared.tokens)


def test_every_part_of_a_photo_counts(case):
    """A key follows what happens at either end of a wide photo, unless the centre is cut out as asked."""
    name, encoder, _, _ = case
    image = np.random.default_rng(1).integers(0, 256, (60, 160, 3), np.uint8)
    left, right = image.copy(), image.copy()
    left[:, :40], right[:, -40:] = 0, 0
    keys = encoder.encode([image, left, right]).keys
    moved = np.abs(keys[1:] - keys[0]).max(axis=1) / np.abs(keys[0]).max()
    if name == "clip_centre_crop":
        assert (moved < 1e-6).all()
    else:
        assert (moved > 1e-3).all()


def test_half_precision_stays_close(case, images):
    name, encoder, _, token_shape = case
    config, _, _ = ENCODERS[name]
    half = RETRIEVAL_BACKBONES.build(dict(config, dtype="bfloat16", batch_size=2))
    assert half.fingerprint == encoder.fingerprint
    found, exact = half.encode(images), encoder.encode(images)
    assert (cosines(found.keys, exact.keys) > 0.99).all()
    if token_shape is not None:
        assert (cosines(found.tokens, exact.tokens) > 0.99).all()


@pytest.mark.parametrize(
    ("config", "changes"),
    [
        (
            CLIP,
            [
                dict(random_weights_seed=1),
                dict(resize="keep_aspect"),
                dict(resize="centre_crop"),
                dict(image_size=48),
                dict(token_grid=(2, 4)),
                dict(mean=(0.5, 0.5, 0.5)),
                dict(std=(0.5, 0.5, 0.5)),
                dict(config=dict(CLIP["config"], hidden_act="gelu")),
                dict(config=dict(CLIP["config"], num_attention_heads=2)),
            ],
        ),
        (
            dict(DREAMSIM, variant="clip_vitb32"),
            [
                dict(random_weights_seed=1),
                dict(variant="open_clip_vitb32"),
                dict(token_grid=None),
                dict(config=dict(DREAMSIM["config"], heads=2)),
            ],
        ),
        (LPIPS, [dict(random_weights_seed=1), dict(image_size=40), dict(net="squeeze")]),
    ],
)
def test_fingerprint_follows_what_matters(config, changes):
    base = RETRIEVAL_BACKBONES.build(dict(config)).fingerprint
    assert RETRIEVAL_BACKBONES.build(dict(config, batch_size=3)).fingerprint == base
    others = {RETRIEVAL_BACKBONES.build(dict(config, **change)).fingerprint for change in changes}
    assert len(others | {base}) == len(changes) + 1


@pytest.mark.parametrize(
    ("config", "change", "message"),
    [
        (CLIP, dict(resize="pad"), "resize"),
        (CLIP, dict(token_grid=(0, 4)), "token_grid"),
        (CLIP, dict(image_size=33), "image_size must be a positive multiple of 8"),
        (CLIP, dict(std=(0.5, 0.5, 0)), "std"),
        (CLIP, dict(model="some/clip"), "exactly one of model, checkpoint"),
        (CLIP, dict(random_weights_seed=None), "exactly one of model, checkpoint"),
        (CLIP, dict(random_weights_seed=None, model="some/clip"), "config cannot be given with model"),
        (CLIP, dict(batch_size=0), "batch_size"),
        (DREAMSIM, dict(variant="dino"), "variant must be one of ensemble"),
        (DREAMSIM, dict(token_grid=(7,)), "token_grid"),
        (DREAMSIM, dict(random_weights_seed=None), "give the folder"),
        (DREAMSIM, dict(random_weights_seed=None, folder="here"), "config is for random weights"),
        (DREAMSIM, dict(config=dict(size=3)), "config takes width"),
        (LPIPS, dict(net="resnet"), "net must be one of alex"),
        (LPIPS, dict(image_size=0), "image_size"),
        (LPIPS, dict(image_size=16), "image_size 16 is too small for LPIPS' alex"),
        (LPIPS, dict(checkpoint="here.pth"), "not both"),
    ],
)
def test_bad_settings_are_refused(config, change, message):
    with pytest.raises(ValueError, match=message):
        RETRIEVAL_BACKBONES.build(dict(config, **change))


def test_gallery_finds_each_photo_itself(case, tmp_path):
    name, encoder, _, token_shape = case
    generator = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    images = [generator.integers(0, 256, (40 + 10 * i, 60, 3), np.uint8) for i in range(5)]
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    retrieval = dict(
        backbone=dict(ENCODERS[name][0]),
        key_transform=None if encoder.metric == "l2" else dict(type="Normalise"),
        index=dict(type="FaissIndex", factory="Flat"),
    )
    photos = tmp_path / "photos"
    gallery = build_gallery(tmp_path / "gallery", items_from_folder(photos), retrieval, photos)
    assert gallery.metric == encoder.metric and gallery.token_shape == token_shape
    ids, _ = gallery.search(images, 1)
    assert ids[:, 0].tolist() == list(range(5))


def test_importing_the_encoders_imports_no_optional_package():
    code = (
        "import sys, procrop.retrieval.backbones\n"
        "print([m for m in ('transformers', 'lpips', 'dreamsim', 'open_clip', 'peft', 'timm') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
