"""BLIP and CLIP at their true sizes, with random weights."""

import numpy as np
import pytest
from text_encoder_cases import photos

from procrop.models.text import BLIPTextEncoder, CLIPTextEncoder

pytestmark = pytest.mark.slow


def test_blip_base():
    images = photos()[:2]
    encoder = BLIPTextEncoder(random_weights_seed=0, max_new_tokens=6)
    assert encoder.prepare(images[0]).shape == (384, 384, 3)
    captions = encoder.caption(images)
    assert encoder.caption(images[::-1])[::-1] == captions and all(captions)
    tokens = encoder.encode(images, ["a dog", "two boats beside a tree"])
    assert encoder.token_dim == 768 and [array.shape[1] for array in tokens] == [768, 768]
    assert len(tokens[0]) < len(tokens[1]) <= encoder.max_tokens
    alone = encoder.encode(images[:1], ["a dog"])[0]
    np.testing.assert_allclose(alone.astype(np.float32), tokens[0].astype(np.float32), rtol=2e-3, atol=2e-3)
    parameters = sum(parameter.numel() for parameter in encoder.network.parameters())
    # ViT-B/16 at 384 and BERT base with cross-attention, of a vocabulary of characters
    assert 195e6 < parameters < 205e6


def test_clip_vit_b32():
    encoder = CLIPTextEncoder(random_weights_seed=0)
    found = encoder.encode(photos()[:1], ["a dog"])[0]
    assert found.shape == (4 + 1 + 16, 512)
