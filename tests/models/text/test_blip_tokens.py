"""Tokens of BLIP's grounded encoder: what the definition says, whatever pads or accompanies a caption."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from text_encoder_cases import MATCHER, SIDE, TINY_BLIP, WIDTH, blip_network, exact, photos

from procrop.models.text import BLIPTextEncoder
from procrop.registry import TEXT_ENCODERS

CAPTIONS = ["a dog", "a boat beside the tree, far away", "photo of a dog"]
# tokens of these captions without the two at the ends: known words are one, others are spelt
LENGTHS = [2, 1 + 1 + 6 + 3 + 1 + 1 + 3 + 4, 4]


@pytest.fixture(scope="module")
def encoder():
    return TEXT_ENCODERS.build(TINY_BLIP)


@pytest.fixture(scope="module")
def images():
    return photos()


def grounded(state, ids, photo, heads=4):
    """BLIP's text encoder with a photo, written from its definition, for one caption without padding."""

    def norm(x, name):
        return F.layer_norm(
            x, (WIDTH,), state[f"{name}.LayerNorm.weight"], state[f"{name}.LayerNorm.bias"], 1e-12
        )

    def linear(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def attend(x, others, name):
        q, k, v = (
            linear(of, f"{name}.self.{part}").unflatten(1, (heads, -1)).transpose(0, 1)
            for of, part in ((x, "query"), (others, "key"), (others, "value"))
        )
        weights = (q @ k.transpose(1, 2) / math.sqrt(WIDTH // heads)).softmax(dim=2)
        found = (weights @ v).transpose(0, 1).flatten(1)
        return norm(linear(found, f"{name}.output.dense") + x, f"{name}.output")

    places = state["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(state["embeddings.word_embeddings.weight"][ids] + places, "embeddings")
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        x = attend(x, x, f"{layer}.attention")
        x = attend(x, photo, f"{layer}.crossattention")
        inner = linear(F.gelu(linear(x, f"{layer}.intermediate.dense")), f"{layer}.output.dense")
        x = norm(inner + x, f"{layer}.output")
    return x


def test_tokens_follow_the_definition(encoder, images):
    network = blip_network(MATCHER)
    state = network.text_encoder.state_dict()
    found = exact(encoder, images, CAPTIONS)
    for image, caption, tokens in zip(images, CAPTIONS, found, strict=True):
        ids = torch.tensor(encoder.tokenizer(caption).input_ids)
        ids[0] = network.config.text_config.bos_token_id + 1  # [ENC] follows [DEC]
        with torch.no_grad():
            _, pixels = next(encoder._batches([image]))
            photo = network.vision_model(pixel_values=pixels).last_hidden_state[0]
            expected = grounded(state, ids, photo)
        torch.testing.assert_close(tokens, expected, rtol=0, atol=2e-5)


def test_cls_gives_what_transformers_gives(images):
    from transformers import BlipImageProcessorPil

    encoder, network = TEXT_ENCODERS.build(dict(TINY_BLIP, start_token="[CLS]")), blip_network(MATCHER)
    pixels = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})(images, return_tensors="pt")
    texts = encoder.tokenizer(CAPTIONS, padding=True, return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        expected = network(**texts, **pixels, use_itm_head=True).question_embeds
    for tokens, states, mask in zip(
        exact(encoder, images, CAPTIONS), expected, texts.attention_mask, strict=True
    ):
        torch.testing.assert_close(tokens, states[mask.bool()], rtol=0, atol=2e-5)


def test_preprocessing_is_that_of_transformers(encoder, images):
    from transformers import BlipImageProcessorPil

    expected = BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})(images, return_tensors="pt")
    _, pixels = next(encoder._batches(images))
    torch.testing.assert_close(pixels, expected.pixel_values, rtol=0, atol=1e-6)
    prepared = [encoder.prepare(image) for image in images]
    assert all(image.shape == (SIDE, SIDE, 3) for image in prepared)
    assert torch.equal(next(encoder._batches(prepared))[1], pixels)


def test_shapes_and_what_is_declared(encoder, images):
    found = encoder.encode(images, CAPTIONS)
    assert [tokens.shape for tokens in found] == [(n + 2, WIDTH) for n in LENGTHS]
    assert {tokens.dtype for tokens in found} == {np.dtype(np.float16)}
    assert encoder.token_dim == WIDTH and encoder.max_tokens == 35 and encoder.needs_photo
    assert encoder.encode([], []) == []


def test_padding_changes_nothing(encoder, images):
    for alone, padded in zip(
        exact(encoder, images, CAPTIONS), exact(encoder, images, CAPTIONS, pad_to=40), strict=True
    ):
        torch.testing.assert_close(padded, alone, rtol=0, atol=1e-5)


def test_padding_is_masked_and_not_merely_cut_off(encoder, images):
    """What stands in the padding does not show, so nothing looks at it."""
    _, pixels = next(encoder._batches(images[:1]))
    text = encoder.tokenizer(["a dog"], padding="max_length", max_length=12, return_tensors="pt")
    ids, mask = text["input_ids"], text["attention_mask"]
    with torch.inference_mode():
        before = encoder.embed(pixels, ids, mask)[0]
        after = encoder.embed(pixels, ids.masked_fill(mask == 0, 9), mask)[0]
        seen = encoder.embed(pixels, ids, torch.ones_like(mask))[0][: len(before)]
    assert torch.equal(after, before)
    assert not torch.allclose(seen, before, atol=1e-2)


def test_company_and_batch_size_change_nothing(images):
    one = TEXT_ENCODERS.build(dict(TINY_BLIP, batch_size=1))
    many = TEXT_ENCODERS.build(dict(TINY_BLIP, batch_size=2))
    alone = one.encode(images, CAPTIONS)
    turned = many.encode(images[::-1], CAPTIONS[::-1])[::-1]
    for a, b in zip(alone, turned, strict=True):
        np.testing.assert_allclose(a.astype(np.float32), b.astype(np.float32), rtol=0, atol=2e-3)
    singles = [exact(one, [i], [c])[0] for i, c in zip(images, CAPTIONS, strict=True)]
    for a, b in zip(singles, exact(one, images, CAPTIONS), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def test_tokens_depend_on_photo_caption_and_the_order_of_words(encoder, images):
    base = encoder.encode(images[:1], ["a dog"])[0]
    other_photo = encoder.encode(images[1:2], ["a dog"])[0]
    other_order = encoder.encode(images[:1], ["dog a"])[0]
    assert np.array_equal(encoder.encode(images[:1], ["  A  Dog "])[0], base)
    for other in (other_photo, other_order, other_order[[0, 2, 1, 3]]):
        assert np.abs(other.astype(np.float32) - base.astype(np.float32)).max() > 0.05


def test_early_words_see_later_ones(encoder, images):
    """Grounded encoding is bidirectional; a decoder would give the first words regardless of the last."""
    first, second = (encoder.encode(images[:1], [caption])[0] for caption in ("a dog boat", "a dog tree"))
    assert np.abs(first[:3].astype(np.float32) - second[:3].astype(np.float32)).max() > 0.05


def test_the_start_token_can_be_left_out(encoder, images):
    kept = encoder.encode(images, CAPTIONS)
    without = TEXT_ENCODERS.build(dict(TINY_BLIP, keep_start=False))
    for a, b in zip(without.encode(images, CAPTIONS), kept, strict=True):
        assert np.array_equal(a, b[1:])
    assert without.max_tokens == 34


def test_long_captions_are_cut_and_keep_their_end(images):
    encoder = TEXT_ENCODERS.build(dict(TINY_BLIP, max_caption_tokens=6))
    long, short = encoder.encode(images[:1] * 2, ["a dog of a boat tree dog", "a dog of a"])
    assert len(long) == encoder.max_tokens == 6
    assert np.abs(long.astype(np.float32) - short.astype(np.float32)).max() < 2e-3


def test_equal_seeds_give_equal_encoders_and_every_setting_counts(encoder, images):
    again = TEXT_ENCODERS.build(TINY_BLIP)
    assert again.fingerprint == encoder.fingerprint
    for a, b in zip(again.encode(images, CAPTIONS), encoder.encode(images, CAPTIONS), strict=True):
        assert np.array_equal(a, b)
    changes = [
        dict(random_weights_seed=1),
        dict(max_caption_tokens=20),
        dict(start_token="[CLS]"),
        dict(keep_start=False),
        dict(vocabulary=["cat", *TINY_BLIP["vocabulary"][1:]]),
    ]
    prints = {TEXT_ENCODERS.build(dict(TINY_BLIP, **change)).fingerprint for change in changes}
    assert len(prints | {encoder.fingerprint}) == 1 + len(changes)
    same = dict(batch_size=3, dtype="bfloat16", prompt="a dog", num_beams=1)
    assert TEXT_ENCODERS.build(dict(TINY_BLIP, **same)).fingerprint == encoder.fingerprint


def test_lower_precision_is_close(encoder, images):
    half = TEXT_ENCODERS.build(dict(TINY_BLIP, dtype="bfloat16"))
    for a, b in zip(half.encode(images, CAPTIONS), encoder.encode(images, CAPTIONS), strict=True):
        a, b = a.astype(np.float32), b.astype(np.float32)
        assert np.abs(a - b).mean() < 0.05 and np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.99


def test_weights_are_frozen_and_nothing_is_dropped(encoder):
    assert not encoder.network.training
    assert not any(parameter.requires_grad for parameter in encoder.network.parameters())


def test_values_beyond_float16_are_handed_on_as_they_are(images):
    encoder = TEXT_ENCODERS.build(TINY_BLIP)
    encoder.network.text_encoder.encoder.layer[1].output.LayerNorm.weight.fill_(1e6)
    (tokens,) = encoder.encode(images[:1], ["a dog"])
    assert tokens.dtype == np.float16 and not np.isfinite(tokens).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(start_token="[SEP]"), r"start_token must be one of \[ENC\], \[CLS\]"),
        (dict(max_caption_tokens=49), r"max_caption_tokens must be in 3\.\.48, not 49"),
        (dict(batch_size=0), "batch_size must be at least 1"),
        (dict(dtype="int8"), "dtype must be one of float32"),
        (dict(vocabulary=["two words"]), "'two words' is not one lower-case word"),
        (dict(config=dict(text_config=dict(hidden_size="wide"))), "config: not the sizes of a BLIP"),
        (dict(token_model="weights/blip"), "either token_model or random_weights_seed"),
        (dict(random_weights_seed=None), "config and vocabulary belong to random_weights_seed"),
    ],
)
def test_settings_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TEXT_ENCODERS.build(dict(TINY_BLIP, **change))


def test_photos_and_captions_that_cannot_be_are_named(encoder, images):
    with pytest.raises(ValueError, match="caption 1 is empty"):
        encoder.encode(images[:2], ["a dog", " "])
    with pytest.raises(ValueError, match="1 photos and 2 captions"):
        encoder.encode(images[:1], ["a", "b"])
    with pytest.raises(ValueError, match="a photo must be"):
        encoder.encode([None], ["a dog"])
    with pytest.raises(ValueError, match="give token_model"):
        BLIPTextEncoder()
