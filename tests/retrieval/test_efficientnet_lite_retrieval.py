"""The real encoder: photos only, no padding, no influence of company."""

import numpy as np
import pytest

from procrop.retrieval.backbones import EfficientNetLiteRetrieval


@pytest.fixture(scope="module")
def encoder():
    return EfficientNetLiteRetrieval()


@pytest.fixture(scope="module")
def images():
    import skimage.data

    return [
        skimage.data.chelsea(),
        skimage.data.coffee(),
        skimage.data.astronaut(),
        skimage.data.chelsea()[:, ::-1],
    ]


def test_shapes_and_types(encoder, images):
    found = encoder.encode(images)
    assert found.keys.shape == (4, 1280) and found.keys.dtype == np.float32
    assert found.tokens.shape == (4, 16, 112) and found.tokens.dtype == np.float16
    assert (encoder.key_dim, encoder.token_shape, encoder.token_grid) == (1280, (16, 112), (4, 4))
    empty = encoder.encode([])
    assert empty.keys.shape == (0, 1280) and empty.tokens.shape == (0, 16, 112)


def test_company_and_order_change_nothing(encoder, images):
    together = encoder.encode([*images, *images[::-1]])
    for i, image in enumerate(images):
        alone = encoder.encode([image])
        for row in (i, 7 - i):
            np.testing.assert_allclose(together.keys[row], alone.keys[0], rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(together.tokens[row], alone.tokens[0], rtol=2e-3, atol=2e-3)


def test_tokens_lie_row_by_row(encoder, images):
    """Mirroring the photo mirrors the grid: token (row, column) is nearest to (row, 3 - column) of the mirrored one."""
    tokens = encoder.encode([images[0], images[3]]).tokens.astype(np.float32).reshape(2, 4, 4, 112)
    straight = np.abs(tokens[0] - tokens[1]).mean()
    mirrored = np.abs(tokens[0] - tokens[1][:, ::-1]).mean()
    upside_down = np.abs(tokens[0] - tokens[1][::-1]).mean()
    assert mirrored < 0.6 * min(straight, upside_down)


def test_a_mirrored_photo_is_nearer_than_another(encoder, images):
    keys = encoder.encode(images).keys
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    similar = keys @ keys[0]
    assert similar[3] > 0.8 > 0.6 > max(similar[1], similar[2])


@pytest.mark.parametrize(
    ("size", "expected"),
    [((400, 300), (256, 192)), ((300, 400), (192, 256)), ((30000, 20), (256, 32)), ((1, 1), (256, 256))],
)
def test_working_size_keeps_the_aspect_and_needs_no_padding(encoder, size, expected):
    prepared = encoder.prepare(np.full((size[1], size[0], 3), 99, np.uint8))
    assert prepared.shape == (expected[1], expected[0], 3)
    assert (prepared == 99).all()
    assert encoder.prepare(prepared) is prepared


def test_prepared_and_whole_photos_agree(encoder, images):
    whole, prepared = encoder.encode(images[:2]), encoder.encode([encoder.prepare(i) for i in images[:2]])
    np.testing.assert_array_equal(whole.keys, prepared.keys)
    np.testing.assert_array_equal(whole.tokens, prepared.tokens)


def test_fingerprint_follows_what_matters(encoder):
    base = encoder.fingerprint
    assert EfficientNetLiteRetrieval(batch_size=3).fingerprint == base
    others = [dict(image_size=224), dict(token_grid=(2, 8)), dict(token_stride=8), dict(key="stage")]
    assert len({base, *(EfficientNetLiteRetrieval(**other).fingerprint for other in others)}) == 5


def test_fingerprint_follows_weights_not_file_names(encoder, tmp_path):
    import torch

    from procrop.networks import EfficientNetLite

    state = EfficientNetLite().load_pretrained().state_dict()
    torch.save(state, tmp_path / "same.pth")
    assert EfficientNetLiteRetrieval(checkpoint=tmp_path / "same.pth").fingerprint == encoder.fingerprint
    state["stem.conv.weight"][0, 0, 0, 0] += 1e-3
    torch.save(state, tmp_path / "other.pth")
    assert EfficientNetLiteRetrieval(checkpoint=tmp_path / "other.pth").fingerprint != encoder.fingerprint


def test_stage_keys(images):
    encoder = EfficientNetLiteRetrieval(key="stage", token_grid=(1, 1))
    found = encoder.encode(images[:1])
    assert encoder.key_dim == 112
    np.testing.assert_allclose(found.tokens[0, 0].astype(np.float32), found.keys[0], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(image_size=100),
        dict(token_grid=(0, 4)),
        dict(key="best"),
        dict(batch_size=0),
        dict(token_stride=7),
    ],
)
def test_bad_settings_are_refused(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match="out_strides" if name == "token_stride" else name):
        EfficientNetLiteRetrieval(**arguments)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), "a.jpg"]
)
def test_what_is_no_photo_is_refused(encoder, image):
    with pytest.raises(ValueError, match="photo must"):
        encoder.encode([image])


def test_short_tokens_are_the_projection_that_the_next_stage_reads_most(encoder, images):
    short = EfficientNetLiteRetrieval(token_dim=64)
    assert short.token_shape == (16, 64) and short.fingerprint != encoder.fingerprint
    found, full = short.encode(images), encoder.encode(images)
    np.testing.assert_array_equal(found.keys, full.keys)
    weights = encoder.network.stages[5][0].expand.conv.weight[:, :, 0, 0].double().numpy()
    values, vectors = np.linalg.eigh(weights.T @ weights)
    leading = vectors[:, np.argsort(values)[::-1][:64]]
    leading *= np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(64)])
    np.testing.assert_allclose(found.tokens, full.tokens @ leading, atol=0.02)
    # what the next convolution sees of it: most of what it saw
    seen = full.tokens @ weights.T
    lost = seen - found.tokens.astype(np.float64) @ leading.T @ weights.T
    assert np.square(lost).sum() < 0.1 * np.square(seen).sum()


def test_grid_keys_are_as_short_as_the_tokens():
    encoder = EfficientNetLiteRetrieval(key="grid", token_grid=(2, 2), token_dim=8)
    photo = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    found = encoder.encode([photo])
    assert encoder.key_dim == 32 and found.tokens.shape == (1, 4, 8)
    np.testing.assert_allclose(found.keys[0], found.tokens[0].ravel(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(token_dim=0), "1 to 112"),
        (dict(token_dim=113), "1 to 112"),
        (dict(token_dim=8, token_stride=32), "stage"),
    ],
)
def test_a_token_length_that_cannot_be_is_told(settings, message):
    with pytest.raises(ValueError, match=message):
        EfficientNetLiteRetrieval(**settings)
