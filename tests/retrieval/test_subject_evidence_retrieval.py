"""SubjectEvidenceRetrieval: its tokens against the cropper's backbone, and what its keys tell apart."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from procrop.models.backbones import SubjectEvidenceBackbone
from procrop.networks import normalise
from procrop.retrieval.backbones import SubjectEvidenceRetrieval
from procrop.retrieval.backbones.efficientnet_lite import to_working_size


@pytest.fixture(scope="module")
def encoder():
    return SubjectEvidenceRetrieval(image_size=256)


@pytest.fixture(scope="module")
def images():
    import skimage.data

    chelsea = skimage.data.chelsea()
    return [chelsea, skimage.data.coffee(), skimage.data.astronaut(), chelsea[:, ::-1]]


def test_shapes(encoder, images):
    found = encoder.encode(images)
    assert found.keys.shape == (4, 64) and found.tokens.shape == (4, 16, 64)
    assert (encoder.key_dim, encoder.token_shape, encoder.token_grid) == (64, (16, 64), (4, 4))
    assert np.isfinite(found.keys).all() and np.isfinite(found.tokens).all()


def test_a_token_starts_with_the_maps_that_the_cropper_sees(encoder, images):
    backbone = SubjectEvidenceBackbone()
    backbone.net.load_pretrained()
    x = normalise(torch.from_numpy(to_working_size(images[1], 256).copy()).permute(2, 0, 1)[None])
    maps = backbone.eval()(x)[0]
    fine = F.adaptive_avg_pool2d(maps, 8)[0].numpy()
    tokens = encoder.encode([images[1]]).tokens[0].reshape(4, 4, 64)
    for kind in range(2):
        for row in range(2):
            for column in range(2):
                expected = fine[kind, row::2, column::2]
                np.testing.assert_allclose(
                    tokens[..., 4 * kind + 2 * row + column], expected, rtol=5e-3, atol=5e-3
                )


def test_the_rest_of_a_token_has_the_scale_of_one(encoder, images):
    rest = encoder.encode(images).tokens[:, :, 8:].astype(np.float64)
    root_mean_square = np.sqrt((rest**2).mean(axis=(1, 2)))
    assert (root_mean_square > 0.3).all() and (root_mean_square <= 1.01).all()  # means of cells are smaller


def test_mirroring_the_photo_mirrors_the_grid(encoder, images):
    tokens = encoder.encode([images[0], images[3]]).tokens.astype(np.float32)[:, :, 8:].reshape(2, 4, 4, 56)
    straight = np.abs(tokens[0] - tokens[1]).mean()
    assert np.abs(tokens[0] - tokens[1][:, ::-1]).mean() < 0.6 * straight


def test_a_mirrored_photo_is_nearer_than_another(encoder, images):
    keys = encoder.encode(images).keys
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    similar = keys @ keys[0]
    assert similar[3] > 0.8 > max(similar[1], similar[2])


def test_a_photo_of_the_mean_colour_gives_no_nan(encoder):
    found = encoder.encode([np.full((64, 96, 3), 127, np.uint8)])
    assert np.isfinite(found.keys).all() and np.isfinite(found.tokens).all()


@pytest.mark.parametrize(
    "options, message", [(dict(token_dim=8), "token_dim"), (dict(image_size=100), "image_size")]
)
def test_parameters_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        SubjectEvidenceRetrieval(**options)


def test_settings_that_change_tokens_change_the_fingerprint(encoder):
    assert SubjectEvidenceRetrieval(image_size=256, batch_size=2).fingerprint == encoder.fingerprint
    for options in (dict(image_size=384), dict(image_size=256, token_dim=32)):
        assert SubjectEvidenceRetrieval(**options).fingerprint != encoder.fingerprint
